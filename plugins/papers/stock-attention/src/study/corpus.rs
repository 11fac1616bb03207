//! Everything a study reads, through the data set's splits alone.

use super::credibility::{Event, features, track_records};
use super::sentiment::sentiment;
use crate::encoder::cache::{Encoder, folder};
use crate::head::{CREDIBILITY_FEATURES, PRICE_DAYS, PRICE_FEATURES};
use half::f16;
use std::ops::Range;
use zoo_core::{Dataset, Error, Level, Result, Tensor, Workbench};

/// One post.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Its stock.
    pub stock: u32,
    /// The day it is filed under, in days since 1970.
    pub day: i64,
    /// When it was written, in seconds since 1970 UTC.
    pub at: i64,
    /// Its author.
    pub user: i64,
    /// Followers and the like, as the data set gives them.
    pub profile: [f32; 8],
    /// 1, 0 or -1.
    pub sentiment: i8,
    /// What credibility is judged by; see [`features`].
    pub credibility: [f32; CREDIBILITY_FEATURES],
    /// What it says.
    pub text: String,
}

/// One stock before one day.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The stock.
    pub stock: u32,
    /// The day that is predicted.
    pub day: i64,
    /// `[10][5]`, oldest day first.
    pub price: Vec<f32>,
    /// Posts of the lag window, oldest first.
    pub posts: Vec<u32>,
    /// Day of each post within the window.
    pub slots: Vec<u8>,
    /// Close over the close before, less 1.
    pub movement: f32,
    /// Close over open, less 1.
    pub intraday: f32,
    /// 1 up, 0 down, -1 neither.
    pub label: i8,
}

/// What an arm sees of a sample.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// `[10][5]`.
    pub price: &'a [f32],
    /// Day of each post.
    pub slots: &'a [u8],
    /// `[posts][embedding]`.
    pub embeddings: &'a [f32],
    /// `[posts][9]`.
    pub credibility: &'a [f32],
}

/// A part of the samples, by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before validation.
    Train,
    /// Between training and test.
    Val,
    /// The last.
    Test,
}

/// Posts and samples of a data set.
pub struct Corpus {
    /// All posts.
    pub posts: Vec<Post>,
    /// All samples, by day.
    pub samples: Vec<Sample>,
    /// Embeddings of each stock's posts, and the first post's position.
    blocks: Vec<(usize, Tensor)>,
    embedding: usize,
}

fn number(tensor: &Tensor) -> Result<i64> {
    tensor.as_slice::<i64>()?.first().copied().ok_or_else(|| Error::shape("field", "one number", tensor.shape()))
}

fn real(tensor: &Tensor) -> Result<f32> {
    tensor.as_slice::<f32>()?.first().copied().ok_or_else(|| Error::shape("field", "one number", tensor.shape()))
}

/// The fields of an item, by the names that the data set gives them.
fn fields<'d, const N: usize>(dataset: &'d dyn Dataset, names: [&str; N]) -> Result<impl Fn(usize) -> Result<[Tensor; N]> + use<'d, N>> {
    let mut places = [0; N];
    for (place, name) in places.iter_mut().zip(names) {
        *place = dataset.info().features.iter().position(|f| f.name == name).ok_or_else(|| Error::Unknown {
            kind: "data set field",
            name: name.into(),
            hint: "this plugin needs a data set in the form of `stocknet`".into(),
        })?;
    }
    Ok(move |index| {
        let item = dataset.get(index)?;
        let mut out: [Option<Tensor>; N] = [const { None }; N];
        for (out, &place) in out.iter_mut().zip(&places) {
            *out = item.get(place).cloned();
        }
        if out.iter().any(Option::is_none) {
            return Err(Error::shape(format!("fields of item {index}"), dataset.info().features.len(), item.len()));
        }
        Ok(out.map(|t| t.unwrap_or_else(|| Tensor::scalar(0i64))))
    })
}

impl Corpus {
    /// Reads a data set: split `posts`, and the samples of `split` (`days` has every trading day). No embeddings yet.
    ///
    /// # Errors
    /// Whatever opening and reading find.
    pub fn read(dataset: &str, split: &str, bench: &mut dyn Workbench) -> Result<Self> {
        let posts = read_posts(&*bench.dataset(dataset, "posts")?)?;
        let samples = read_samples(&*bench.dataset(dataset, split)?, posts.len())?;
        // Outcomes come from every day, whatever samples are asked for.
        let days = if split == "days" { None } else { Some(read_samples(&*bench.dataset(dataset, "days")?, posts.len())?) };
        let mut corpus = Self { posts, samples, blocks: Vec::new(), embedding: 0 };
        corpus.judge(days.as_deref());
        Ok(corpus)
    }

    /// A corpus of one stock with embeddings at hand: `rows` is `[posts][width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one row a post.
    pub fn with_embeddings(posts: Vec<Post>, samples: Vec<Sample>, rows: &[f32], width: usize) -> Result<Self> {
        let halves: Vec<f16> = rows.iter().map(|&v| f16::from_f32(v)).collect();
        let block = Tensor::from_vec([posts.len(), width], halves)?;
        Ok(Self { posts, samples, blocks: vec![(0, block)], embedding: width })
    }

    /// Fills in the credibility of all posts.
    fn judge(&mut self, days: Option<&[Sample]>) {
        let days = days.unwrap_or(&self.samples);
        let stocks = self.posts.iter().map(|p| p.stock).max().map_or(0, |s| s as usize + 1);
        let mut outcomes: Vec<Vec<(i64, i8)>> = vec![Vec::new(); stocks];
        for sample in days.iter().filter(|s| (s.stock as usize) < stocks) {
            outcomes[sample.stock as usize].push((sample.day, sample.label));
        }
        outcomes.iter_mut().for_each(|o| o.sort_unstable());
        let settle = |post: &Post| {
            let own = &outcomes[post.stock as usize];
            let &(settled, label) = own.get(own.partition_point(|(day, _)| *day <= post.day))?;
            (post.sentiment != 0 && label >= 0).then_some(Event { user: post.user, settled, hit: (label == 1) == (post.sentiment > 0) })
        };
        let events = self.posts.iter().filter_map(settle).collect();
        let asked: Vec<_> = self.posts.iter().map(|p| (p.user, p.day)).collect();
        for (post, record) in self.posts.iter_mut().zip(track_records(events, &asked)) {
            post.credibility = features(&post.profile, year_of(post.day), record);
        }
    }

    /// Reads or makes the embeddings of all posts, a block a stock. `encoder` is a registered model.
    ///
    /// # Errors
    /// Whatever encoding finds; [`Error::Shape`] if embeddings are not `width` wide.
    pub fn embed(&mut self, encoder: &str, width: usize, bench: &mut dyn Workbench) -> Result<()> {
        let (weights, _) = bench.weights(encoder, None)?;
        let folder = folder()?;
        let mut encoder = Encoder::new(bench.backend().to_owned(), &weights);
        let mut blocks = Vec::new();
        let mut start = 0;
        while start < self.posts.len() {
            let stock = self.posts[start].stock;
            let end = start + self.posts[start..].iter().take_while(|p| p.stock == stock).count();
            let texts: Vec<&str> = self.posts[start..end].iter().map(|p| p.text.as_str()).collect();
            let (block, effort) = encoder.block(&folder, &texts, bench)?;
            block.expect("embeddings", zoo_core::DType::F16, &[Some(end - start), Some(width)])?;
            if let Some(effort) = effort {
                let rate = effort.tokens as f64 / effort.seconds.max(1e-9);
                bench.log(Level::Info, "stock-attention", &format!("stock {stock}: {} texts at {rate:.0} tokens/s", effort.texts));
            }
            blocks.push((start, block));
            start = end;
        }
        (self.blocks, self.embedding) = (blocks, width);
        Ok(())
    }

    /// Appends the embedding of a post.
    ///
    /// # Errors
    /// [`Error::Argument`] if nothing was embedded.
    pub fn embedding(&self, post: usize, out: &mut Vec<f32>) -> Result<()> {
        let missing = || Error::argument("post", "one that was embedded", post);
        let at = self.blocks.partition_point(|(first, _)| *first <= post).checked_sub(1).ok_or_else(missing)?;
        let (first, block) = &self.blocks[at];
        let row = block.as_slice::<f16>()?.chunks_exact(self.embedding.max(1)).nth(post - first).ok_or_else(missing)?;
        out.extend(row.iter().map(|v| v.to_f32()));
        Ok(())
    }

    /// Embeddings and credibility of a sample's posts, for a [`View`]. Without embeddings the first is empty.
    ///
    /// # Errors
    /// As [`Corpus::embedding`].
    pub fn gather(&self, sample: &Sample, text: bool) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut embeddings = Vec::new();
        let mut credibility = Vec::new();
        for &post in &sample.posts {
            if text {
                self.embedding(post as usize, &mut embeddings)?;
            }
            credibility.extend_from_slice(&self.posts[post as usize].credibility);
        }
        Ok((embeddings, credibility))
    }

    /// Positions of the samples of a part that have posts and pass `keep`.
    pub fn part(&self, [train, val, test]: [i64; 3], part: Part, keep: impl Fn(&Sample) -> bool) -> Vec<usize> {
        let days: Range<i64> = match part {
            Part::Train => i64::MIN..train,
            Part::Val => train..val,
            Part::Test => val..test,
        };
        let fits = |s: &Sample| days.contains(&s.day) && !s.posts.is_empty() && keep(s);
        (0..self.samples.len()).filter(|&i| fits(&self.samples[i])).collect()
    }
}

/// Year of a day, close enough for the age of an account.
#[allow(clippy::cast_precision_loss, reason = "a year")]
fn year_of(day: i64) -> f32 {
    (1970.0 + day as f64 / 365.2425).floor() as f32
}

fn read_posts(dataset: &dyn Dataset) -> Result<Vec<Post>> {
    let get = fields(dataset, ["stock", "day", "at", "user", "profile", "text"])?;
    let mut posts = Vec::with_capacity(dataset.len());
    for index in 0..dataset.len() {
        let [stock, day, at, user, profile, text] = get(index)?;
        let profile = profile.as_slice::<f32>()?;
        let profile = profile.try_into().map_err(|_| Error::shape("field `profile`", [8], [profile.len()]))?;
        let text = std::str::from_utf8(text.as_slice::<u8>()?).map_err(|e| Error::argument("field `text`", "UTF-8", e))?;
        posts.push(Post {
            stock: u32::try_from(number(&stock)?).map_err(|e| Error::argument("field `stock`", "a position", e))?,
            day: number(&day)?,
            at: number(&at)?,
            user: number(&user)?,
            profile,
            sentiment: sentiment(text),
            credibility: [0.0; CREDIBILITY_FEATURES],
            text: text.into(),
        });
    }
    Ok(posts)
}

fn read_samples(dataset: &dyn Dataset, posts: usize) -> Result<Vec<Sample>> {
    let get = fields(dataset, ["stock", "day", "price", "posts", "slots", "movement", "intraday", "label"])?;
    let mut samples = Vec::with_capacity(dataset.len());
    for index in 0..dataset.len() {
        let [stock, day, price, own, slots, movement, intraday, label] = get(index)?;
        price.expect("field `price`", zoo_core::DType::F32, &[Some(PRICE_DAYS), Some(PRICE_FEATURES)])?;
        let pairs = own.as_slice::<i64>()?.iter().zip(slots.as_slice::<i64>()?).filter(|(post, _)| **post >= 0);
        let mut sample = Sample {
            stock: u32::try_from(number(&stock)?).map_err(|e| Error::argument("field `stock`", "a position", e))?,
            day: number(&day)?,
            price: price.as_slice::<f32>()?.to_vec(),
            posts: Vec::new(),
            slots: Vec::new(),
            movement: real(&movement)?,
            intraday: real(&intraday)?,
            label: number(&label)?.clamp(-1, 1) as i8,
        };
        for (&post, &slot) in pairs {
            let fits = usize::try_from(post).is_ok_and(|p| p < posts) && (0..crate::head::LAG_DAYS as i64).contains(&slot);
            if !fits {
                return Err(Error::argument(
                    format!("posts of sample {index}"),
                    format!("positions below {posts} with slots 0 to 4"),
                    format!("{post} in slot {slot}"),
                ));
            }
            sample.posts.push(post as u32);
            sample.slots.push(slot as u8);
        }
        samples.push(sample);
    }
    Ok(samples)
}
