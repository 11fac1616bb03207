//! What the main head looked at.

use crate::claims::first_run;
use crate::runs::labels;
use crate::study::{Corpus, Part, View};
use serde_json::{Value, json};
use zoo_core::{Config, Error, Result, Workbench};

/// Posts that are shown of a day.
const SHOWN: usize = 8;

pub(super) fn examples(count: &str, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    let count: usize = count.parse().map_err(|_| Error::argument("COUNT", "a number", count))?;
    let run = first_run(model, config, bench)?;
    let paper = &run.paper;
    let mut corpus = Corpus::read(&paper.dataset, "days", bench)?;
    corpus.embed(&paper.encoder, paper.network.embedding, bench)?;
    let labels = labels(&corpus, paper)?;
    let items = corpus.part(paper.days()?, Part::Test, |s| s.posts.len() >= 3);
    let head = run.head(&paper.main)?;
    let mut days = Vec::new();
    // Credibility against followers and track record: means over ten equal groups of the used posts.
    let mut pairs: Vec<[f32; 3]> = Vec::new();
    for (n, &i) in items.iter().enumerate() {
        let sample = &corpus.samples[i];
        let (embeddings, credibility) = corpus.gather(sample, true)?;
        let view = View { price: &sample.price, slots: &sample.slots, embeddings: &embeddings, credibility: &credibility };
        let told = head.explain(&view, |kappa| kappa)?;
        for (&post, kappa) in sample.posts.iter().zip(&told.kappa) {
            let c = corpus.posts[post as usize].credibility;
            pairs.push([c[0], c[8], *kappa]);
        }
        if n % (items.len() / count.max(1)).max(1) != 0 || days.len() == count {
            continue;
        }
        let mut order: Vec<usize> = (0..sample.posts.len()).collect();
        order.sort_by(|&a, &b| told.alpha[b].total_cmp(&told.alpha[a]));
        let posts: Vec<Value> = order
            .iter()
            .take(SHOWN)
            .map(|&k| {
                let post = &corpus.posts[sample.posts[k] as usize];
                json!({"alpha": told.alpha[k], "kappa": told.kappa[k], "days_before": 5 - sample.slots[k], "log_followers": post.credibility[0],
                    "track_record": post.credibility[8], "sentiment": post.sentiment, "text": post.text})
            })
            .collect();
        days.push(
            json!({"day": sample.day, "stock": sample.stock, "logit": told.logit, "label": labels[i], "gate": told.gate, "posts": posts}),
        );
    }
    let curve = |by: usize| {
        pairs.sort_by(|a, b| a[by].total_cmp(&b[by]));
        let size = (pairs.len() / 10).max(1);
        let mean = |group: &[[f32; 3]], i: usize| group.iter().map(|p| f64::from(p[i])).sum::<f64>() / group.len() as f64;
        pairs.chunks(size).map(|g| json!([mean(g, by), mean(g, 2)])).collect::<Vec<_>>()
    };
    let mut curve = curve;
    Ok(json!({"days": days, "kappa_by_log_followers": curve(0), "kappa_by_track_record": curve(1), "notice": crate::claims::NOTICE}))
}
