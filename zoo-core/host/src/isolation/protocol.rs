//! Frames: what one side says to the other in one go.
//!
//! A frame is a head of 16 bytes, a text (JSON) and a list of tensors, whose elements lie in the sender's arena and not in the
//! stream. All numbers are little-endian. Whatever is read here may come from a process gone mad: every length is bounded
//! before anything is made of it.

use std::ops::Range;
use zoo_core::DType;

/// First bytes of every frame.
const MAGIC: [u8; 4] = *b"ZOO1";
/// Bytes of a head.
pub(super) const HEAD: usize = 16;
/// Longest text, in bytes: that of a shared library's calls.
pub(super) const LONGEST_TEXT: usize = 1 << 28;
/// Longest list of tensors, in bytes.
const LONGEST_LIST: usize = 1 << 24;
/// Most axes of a tensor.
const MOST_AXES: usize = 64;
/// Tensors start at multiples of this, which suits every element type and vector unit.
const ALIGNMENT: u64 = 64;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Asks for something; the other side answers with a return or a failure.
    Call = 1,
    /// The answer to the last call.
    Return = 2,
    /// The last call failed; the text is the error.
    Failure = 3,
    /// Says something that needs no answer.
    Note = 4,
}

/// A rule of the protocol that was broken.
#[derive(Debug, thiserror::Error)]
#[error("{what}: expected {expected}, found {found}")]
pub(super) struct Breach {
    pub(super) what: &'static str,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Breach {
    pub(super) fn new(what: &'static str, expected: impl Into<String>, found: impl std::fmt::Display) -> Self {
        Self { what, expected: expected.into(), found: found.to_string() }
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Whether the descriptor of a new arena comes with it.
    pub(super) new_arena: bool,
    /// Bytes of text.
    pub(super) text: usize,
    /// Bytes of the list of tensors.
    pub(super) list: usize,
}

impl Head {
    pub(super) fn encode(&self) -> Result<[u8; HEAD], Breach> {
        let bounded = |what, length: usize, most: usize| {
            u32::try_from(length).ok().filter(|_| length <= most).ok_or_else(|| Breach::new(what, format!("at most {most} bytes"), length))
        };
        let (text, list) = (bounded("text", self.text, LONGEST_TEXT)?, bounded("list of tensors", self.list, LONGEST_LIST)?);
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&MAGIC);
        (head[4], head[5]) = (self.kind as u8, u8::from(self.new_arena));
        head[8..12].copy_from_slice(&text.to_le_bytes());
        head[12..].copy_from_slice(&list.to_le_bytes());
        Ok(head)
    }

    pub(super) fn decode(head: &[u8; HEAD]) -> Result<Self, Breach> {
        let [a, b, c, d, kind, new_arena, 0, 0, t0, t1, t2, t3, l0, l1, l2, l3] = *head else {
            return Err(Breach::new("head of a frame", "two zero bytes at 6", format!("{:?}", &head[6..8])));
        };
        if [a, b, c, d] != MAGIC {
            return Err(Breach::new("head of a frame", format!("{MAGIC:?}"), format!("{:?}", [a, b, c, d])));
        }
        let kind = match kind {
            1 => Kind::Call,
            2 => Kind::Return,
            3 => Kind::Failure,
            4 => Kind::Note,
            other => return Err(Breach::new("kind of a frame", "1 to 4", other)),
        };
        let length = |what, bytes: [u8; 4], most: usize| match usize::try_from(u32::from_le_bytes(bytes)) {
            Ok(length) if length <= most => Ok(length),
            _ => Err(Breach::new(what, format!("at most {most} bytes"), u32::from_le_bytes(bytes))),
        };
        Ok(Self {
            kind,
            new_arena: new_arena != 0,
            text: length("text", [t0, t1, t2, t3], LONGEST_TEXT)?,
            list: length("list of tensors", [l0, l1, l2, l3], LONGEST_LIST)?,
        })
    }
}

/// Where a tensor lies in an arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    pub(super) range: Range<usize>,
}

/// Lays tensors out one behind the other. Gives the list for the frame, each tensor's first byte, and the bytes of it all.
pub(super) fn lay_out<'a>(tensors: impl Iterator<Item = (DType, &'a [usize], usize)>) -> (Vec<u8>, Vec<usize>, usize) {
    let (mut list, mut starts, mut end) = (Vec::new(), Vec::new(), 0u64);
    for (dtype, shape, bytes) in tensors {
        let start = end.next_multiple_of(ALIGNMENT);
        let tag = DType::ALL.iter().position(|known| *known == dtype).unwrap_or(usize::from(u8::MAX));
        list.extend([u8::try_from(tag).unwrap_or(u8::MAX), u8::try_from(shape.len()).unwrap_or(u8::MAX)]);
        shape.iter().for_each(|&length| list.extend((length as u64).to_le_bytes()));
        list.extend(start.to_le_bytes());
        // A start within a range of memory that exists fits an address.
        starts.push(usize::try_from(start).unwrap_or(usize::MAX));
        end = start + bytes as u64;
    }
    (list, starts, usize::try_from(end).unwrap_or(usize::MAX))
}

/// Reads a list of tensors that lie in an arena of `arena` bytes: in order, apart from one another and within it, so that
/// together they are never larger than it.
pub(super) fn slots(mut list: &[u8], arena: usize) -> Result<Vec<Slot>, Breach> {
    let (mut slots, mut free) = (Vec::new(), 0usize);
    while let Some((&[tag, axes], rest)) = list.split_first_chunk::<2>() {
        let dtype = *DType::ALL
            .get(usize::from(tag))
            .ok_or_else(|| Breach::new("type of a tensor", format!("less than {}", DType::ALL.len()), tag))?;
        let axes = usize::from(axes);
        if axes > MOST_AXES || rest.len() < 8 * (axes + 1) {
            return Err(Breach::new("axes of a tensor", format!("at most {MOST_AXES}, with their lengths"), axes));
        }
        let (numbers, rest) = rest.split_at(8 * (axes + 1));
        let mut numbers = numbers.chunks_exact(8).map(|bytes| {
            let mut number = [0; 8];
            number.copy_from_slice(bytes);
            usize::try_from(u64::from_le_bytes(number)).unwrap_or(usize::MAX)
        });
        let shape: Vec<usize> = numbers.by_ref().take(axes).collect();
        let start = numbers.next().unwrap_or(usize::MAX);
        let bytes = shape.iter().try_fold(dtype.size(), |bytes, &length| bytes.checked_mul(length));
        let end = bytes.and_then(|bytes| start.checked_add(bytes)).filter(|&end| end <= arena && start >= free);
        let Some(end) = end.filter(|_| (start as u64).is_multiple_of(ALIGNMENT)) else {
            return Err(Breach::new(
                "place of a tensor",
                format!("a multiple of {ALIGNMENT} with room for it from {free} to {arena}"),
                format!("{start} for {dtype} {shape:?}"),
            ));
        };
        free = end;
        slots.push(Slot { dtype, shape, range: start..end });
        list = rest;
    }
    if list.is_empty() {
        Ok(slots)
    } else {
        Err(Breach::new("list of tensors", "nothing behind the last", format!("{} bytes", list.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_head_by_hand() {
        let head = Head { kind: Kind::Failure, new_arena: true, text: 258, list: 3 };
        assert_eq!(head.encode().unwrap(), *b"ZOO1\x03\x01\0\0\x02\x01\0\0\x03\0\0\0");
        assert_eq!(Head::decode(&head.encode().unwrap()).unwrap(), head);
        assert!(Head { text: LONGEST_TEXT + 1, ..head }.encode().is_err());
        for (at, byte) in [(0, b'z'), (4, 0), (4, 5), (6, 1), (11, 0xff), (15, 2)] {
            let mut bad = head.encode().unwrap();
            bad[at] = byte;
            assert!(Head::decode(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn tensors_may_neither_overlap_nor_leave_the_arena() {
        let shapes: [(DType, &[usize], usize); 3] = [(DType::F32, &[2, 3], 24), (DType::U8, &[], 1), (DType::F64, &[0], 0)];
        let (list, starts, end) = lay_out(shapes.into_iter());
        assert_eq!((starts, end), (vec![0, 64, 128], 128));
        let read = slots(&list, 128).unwrap();
        assert_eq!(read[0], Slot { dtype: DType::F32, shape: vec![2, 3], range: 0..24 });
        assert_eq!((read[1].range.clone(), read[2].range.clone()), (64..65, 128..128));
        assert!(
            slots(&list, 64)
                .unwrap_err()
                .to_string()
                .starts_with("place of a tensor: expected a multiple of 64 with room for it from 24 to 64")
        );
        assert!(slots(&[list.clone(), list.clone()].concat(), 1 << 20).is_err());
        assert!(slots(&list[..list.len() - 1], 128).is_err());
        let huge: [(DType, &[usize], usize); 1] = [(DType::F64, &[usize::MAX, 2], 0)];
        assert!(slots(&lay_out(huge.into_iter()).0, 128).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(head in any::<[u8; HEAD]>(), list in proptest::collection::vec(any::<u8>(), 0..64), arena in 0usize..1 << 20) {
            let _ = Head::decode(&head);
            if let Ok(slots) = slots(&list, arena) {
                prop_assert!(slots.iter().map(|slot| slot.range.len()).sum::<usize>() <= arena);
            }
        }
    }
}
