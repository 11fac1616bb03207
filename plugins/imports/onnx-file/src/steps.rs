//! Preprocessing of one item.

use crate::config::Step;
use crate::{pixels, text};
use tokenizers::Tokenizer;
use zoo_core::{DType, Error, Result, Tensor};

/// Most elements a step may make of an item, so that a registry can't ask for unbounded memory.
const MOST: usize = 1 << 28;

/// Runs the steps over one item.
pub(crate) fn run(steps: &[Step], item: Tensor, tokenizer: Option<&Tokenizer>) -> Result<Tensor> {
    steps.iter().enumerate().try_fold(item, |item, (index, step)| {
        one(step, &item, tokenizer).map_err(|error| match error {
            Error::Shape { what, expected, found } => Error::Shape { what: format!("step {index}, {what}"), expected, found },
            other => other,
        })
    })
}

fn one(step: &Step, item: &Tensor, tokenizer: Option<&Tokenizer>) -> Result<Tensor> {
    match step {
        Step::Tokenise { length, gives } => text::tokenise(tokenizer, *length, *gives, item),
        Step::Transpose(axes) => transpose(axes, item),
        Step::Resize { height, width } => {
            let [channels, from] = image("resize", item)?;
            room(channels[0] * height.saturating_mul(*width))?;
            if *height == 0 || *width == 0 || from.contains(&0) {
                return Err(Error::argument("resize", "sides of at least 1", format!("{from:?} to [{height}, {width}]")));
            }
            let values = item.to_f32();
            let planes = values.chunks_exact(from[0] * from[1]).flat_map(|plane| pixels::resize(plane, from, [*height, *width]));
            Tensor::from_vec([channels[0], *height, *width], planes.collect::<Vec<f32>>())
        }
        Step::CentreCrop { height, width } => {
            let [channels, [rows, columns]] = image("centre-crop", item)?;
            let (Some(above), Some(left)) = (rows.checked_sub(*height), columns.checked_sub(*width)) else {
                return Err(Error::shape("centre-crop", format!("at least {height} by {width}"), [rows, columns]));
            };
            let values = item.to_f32();
            let cut = (0..channels[0])
                .flat_map(|c| (0..*height).map(move |y| (c * rows + above / 2 + y) * columns + left / 2))
                .flat_map(|at| values[at..at + width].iter().copied());
            Tensor::from_vec([channels[0], *height, *width], cut.collect::<Vec<f32>>())
        }
        Step::Scale(factor) => Tensor::from_vec(item.shape(), item.to_f32().into_iter().map(|v| v * factor).collect::<Vec<f32>>()),
        Step::Normalise { mean, std } => {
            let channels = item.shape().first().copied().unwrap_or(0);
            if mean.len() != channels || std.len() != channels {
                return Err(Error::shape("normalise", format!("{channels} means and {channels} deviations"), [mean.len(), std.len()]));
            }
            let mut values = item.to_f32();
            let size = (values.len() / channels.max(1)).max(1);
            for (channel, chunk) in values.chunks_exact_mut(size).enumerate() {
                chunk.iter_mut().for_each(|v| *v = (*v - mean[channel]) / std[channel]);
            }
            Tensor::from_vec(item.shape(), values)
        }
        Step::Repeat(times) => {
            let [channels, sides] = image("repeat", item)?;
            if channels[0] != 1 {
                return Err(Error::shape("repeat", "[1, height, width]", item.shape()));
            }
            room(item.len().saturating_mul(*times))?;
            Tensor::from_vec([*times, sides[0], sides[1]], item.to_f32().repeat(*times))
        }
        Step::Window { size, context } => window(*size, *context, item),
        Step::Ends { first, last, padding, block } => ends([*first, *last], *padding, *block, item),
    }
}

fn room(elements: usize) -> Result<()> {
    if elements > MOST {
        return Err(Error::argument("size after a step", format!("at most {MOST} elements"), elements));
    }
    Ok(())
}

/// Channels (with a 1 beside them) and sides of an image.
fn image(step: &str, item: &Tensor) -> Result<[[usize; 2]; 2]> {
    match *item.shape() {
        [channels, height, width] => Ok([[channels, 1], [height, width]]),
        ref other => Err(Error::shape(step, "[channels, height, width]", other)),
    }
}

fn transpose(axes: &[usize], item: &Tensor) -> Result<Tensor> {
    let shape = item.shape();
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if sorted != (0..shape.len()).collect::<Vec<_>>() {
        return Err(Error::shape("transpose", format!("an order of {} axes", shape.len()), axes));
    }
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let moved: Vec<usize> = axes.iter().map(|&a| shape[a]).collect();
    let values = item.to_f32();
    let at = |mut index: usize| {
        let mut from = 0;
        for (&length, &axis) in moved.iter().zip(axes).rev() {
            from += (index % length) * strides[axis];
            index /= length;
        }
        values[from]
    };
    Tensor::from_vec(moved.clone(), (0..values.len()).map(at).collect::<Vec<f32>>())
}

fn window(size: usize, context: usize, item: &Tensor) -> Result<Tensor> {
    let &[samples] = item.shape() else { return Err(Error::shape("window", "[samples]", item.shape())) };
    if size == 0 || context > size {
        return Err(Error::argument("window", "a size of at least 1 and a context of at most the size", format!("{size}, {context}")));
    }
    let (values, count) = (item.to_f32(), samples / size);
    room(count.saturating_mul(size + context))?;
    let sample = |at: usize| if at < context { 0.0 } else { values[at - context] };
    let rows = (0..count).flat_map(|w| (w * size..(w + 1) * size + context).map(sample));
    Tensor::from_vec([count, size + context], rows.collect::<Vec<f32>>())
}

/// White space of ASCII with the vertical tab.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn ends([first, last]: [usize; 2], padding: i32, block: usize, item: &Tensor) -> Result<Tensor> {
    if item.dtype() != DType::U8 {
        return Err(Error::DType { what: "step `ends`".into(), expected: "u8".into(), found: item.dtype().to_string() });
    }
    room(first.saturating_add(last))?;
    let bytes = item.as_bytes();
    let near = block.min(bytes.len());
    let (start, end) = (&bytes[..near], &bytes[bytes.len() - near..]);
    let start = &start[start.iter().position(|b| !is_space(*b)).unwrap_or(near)..];
    let end = &end[..end.iter().rposition(|b| !is_space(*b)).map_or(0, |at| at + 1)];
    let (start, end) = (&start[..first.min(start.len())], &end[end.len().saturating_sub(last)..]);
    let pad = |count: usize| std::iter::repeat_n(padding, count);
    let tokens =
        start.iter().map(|b| i32::from(*b)).chain(pad(first - start.len() + last - end.len())).chain(end.iter().map(|b| i32::from(*b)));
    Tensor::from_vec([first + last], tokens.collect::<Vec<i32>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steps: &[Step], item: Tensor) -> Result<Tensor> {
        super::run(steps, item, None)
    }

    fn floats(shape: &[usize]) -> Tensor {
        let count: usize = shape.iter().product();
        Tensor::from_vec(shape, (0..count).map(|v| v as f32).collect::<Vec<f32>>()).unwrap()
    }

    #[test]
    fn windows_see_the_end_of_the_one_before() {
        let cut = run(&[Step::Window { size: 3, context: 1 }], floats(&[7])).unwrap();
        assert_eq!((cut.shape(), cut.to_f32()), (&[2, 4][..], vec![0.0, 0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 5.0]));
    }

    #[test]
    fn ends_are_stripped_and_padded_towards_the_middle() {
        let bytes = Tensor::from_vec([6], b" \x0babc\n".to_vec()).unwrap();
        let tokens = run(&[Step::Ends { first: 5, last: 2, padding: 256, block: 64 }], bytes).unwrap();
        assert_eq!(tokens.as_slice::<i32>().unwrap(), [97, 98, 99, 10, 256, 98, 99]);
        let blank = Tensor::from_vec([2], b"  ".to_vec()).unwrap();
        let tokens = run(&[Step::Ends { first: 1, last: 1, padding: 9, block: 64 }], blank).unwrap();
        assert_eq!(tokens.as_slice::<i32>().unwrap(), [9, 9]);
    }

    #[test]
    fn pictures_are_turned_cut_and_normalised() {
        let turned = run(&[Step::Transpose(vec![2, 0, 1])], floats(&[1, 2, 2])).unwrap();
        assert_eq!((turned.shape(), turned.to_f32()), (&[2, 1, 2][..], vec![0.0, 2.0, 1.0, 3.0]));
        let cut = run(&[Step::CentreCrop { height: 1, width: 2 }, Step::Scale(0.5)], floats(&[1, 3, 4])).unwrap();
        assert_eq!(cut.to_f32(), [2.5, 3.0]);
        let normal = run(&[Step::Normalise { mean: vec![1.0, 2.0], std: vec![2.0, 4.0] }], floats(&[2, 1, 2])).unwrap();
        assert_eq!(normal.to_f32(), [-0.5, 0.0, 0.0, 0.25]);
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_step() {
        for (steps, wrong) in [
            (vec![Step::Scale(1.0), Step::Window { size: 2, context: 0 }], "step 1, window"),
            (vec![Step::Transpose(vec![0, 0])], "step 0, transpose"),
            (vec![Step::Transpose(vec![0, 7])], "step 0, transpose"),
            (vec![Step::Resize { height: 2, width: 2 }], "step 0, resize"),
            (vec![Step::Normalise { mean: vec![0.0], std: vec![1.0] }], "step 0, normalise"),
            (vec![Step::Ends { first: 1, last: 1, padding: 0, block: 1 }], "step `ends`"),
        ] {
            let error = run(&steps, floats(&[2, 2])).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        let huge = Step::Resize { height: usize::MAX, width: 2 };
        assert!(run(&[huge], floats(&[1, 2, 2])).unwrap_err().to_string().contains("at most"));
    }
}
