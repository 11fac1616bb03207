//! The part of Python's pickle that describes tensors. Objects live in one list and refer to each other by place, so that
//! no depth of nesting costs stack.

use super::{Fault, storage_dtype};
use std::collections::BTreeMap;
use zoo_core::DType;

/// Most objects of a pickle.
const MAX_ITEMS: usize = 1 << 22;

/// A part of the file that tensors look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) dtype: DType,
    pub(super) key: String,
    /// Values in it.
    pub(super) count: usize,
}

/// An object; numbers in it are places in the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, its bytes from the least.
    Long(Vec<u8>),
    Float(f64),
    Text(String),
    List(Vec<usize>),
    Tuple(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    Name(Known),
    Storage(Storage),
    Tensor {
        storage: Storage,
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    },
}

/// The names a pickle may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageOf(DType),
}

impl Known {
    fn find(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch" | "torch.storage", _) => storage_dtype(name).map(Self::StorageOf),
            _ => None,
        }
    }
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle {
    items: Vec<Item>,
    root: usize,
    /// Bytes it took.
    pub(super) length: usize,
}

impl Pickle {
    pub(super) fn item(&self, id: usize) -> &Item {
        &self.items[id]
    }

    pub(super) fn root(&self) -> &Item {
        self.item(self.root)
    }

    /// The storages that it names, by key.
    pub(super) fn storages(&self) -> BTreeMap<&str, &Storage> {
        let named = self.items.iter().filter_map(|item| if let Item::Storage(storage) = item { Some(storage) } else { None });
        named.map(|storage| (storage.key.as_str(), storage)).collect()
    }

    /// Reads the pickle at the front of `bytes`; `base` is where they begin in the file.
    pub(super) fn read(bytes: &[u8], base: usize) -> Result<Self, Fault> {
        let mut machine = Machine { bytes, base, at: 0, items: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: Vec::new() };
        let root = machine.run()?;
        Ok(Self { items: machine.items, root, length: machine.at })
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    base: usize,
    at: usize,
    items: Vec<Item>,
    stack: Vec<usize>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: Vec<Option<usize>>,
}

impl Machine<'_> {
    fn fault(&self, why: impl Into<String>) -> Fault {
        Fault::new(format!("byte {}", self.base + self.at), why)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], Fault> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.fault(format!("expected {count} more bytes, found the end")))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(self.take(bytes)?);
        Ok(u64::from_le_bytes(value))
    }

    fn size(&mut self, bytes: usize) -> Result<usize, Fault> {
        let value = self.number(bytes)?;
        usize::try_from(value).map_err(|_| self.fault(format!("expected a length, found {value}")))
    }

    fn text(&mut self, count: usize) -> Result<String, Fault> {
        let taken = self.take(count)?.to_vec();
        String::from_utf8(taken).map_err(|_| self.fault("expected UTF-8, found other bytes"))
    }

    fn line(&mut self) -> Result<String, Fault> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|b| *b == b'\n').ok_or_else(|| self.fault("expected the end of a line, found the end"))?;
        let text = self.text(end)?;
        self.at += 1;
        Ok(text)
    }

    fn push(&mut self, item: Item) -> Result<(), Fault> {
        if self.items.len() >= MAX_ITEMS {
            return Err(self.fault(format!("expected at most {MAX_ITEMS} objects, found more")));
        }
        self.stack.push(self.items.len());
        self.items.push(item);
        Ok(())
    }

    fn pop(&mut self) -> Result<usize, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.fault("expected an object on the stack, found none"));
        }
        self.stack.pop().ok_or_else(|| self.fault("expected an object on the stack, found none"))
    }

    /// What lies above the last mark.
    fn marked(&mut self) -> Result<Vec<usize>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| self.fault("expected a mark, found none"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    /// Name for a top object, without taking it.
    fn top(&self) -> Result<usize, Fault> {
        self.stack.last().copied().ok_or_else(|| self.fault("expected an object on the stack, found none"))
    }

    fn remember(&mut self, place: usize) -> Result<(), Fault> {
        let top = self.top()?;
        if place > self.items.len() {
            return Err(self.fault(format!("expected a place in the memo up to {}, found {place}", self.items.len())));
        }
        if self.memo.len() <= place {
            self.memo.resize(place + 1, None);
        }
        self.memo[place] = Some(top);
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Result<(), Fault> {
        let found = self.memo.get(place).copied().flatten();
        let found = found.ok_or_else(|| self.fault(format!("expected something in the memo at {place}, found nothing")))?;
        self.stack.push(found);
        Ok(())
    }

    fn run(&mut self) -> Result<usize, Fault> {
        loop {
            let instruction = self.take(1)?[0];
            match instruction {
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'N' => self.push(Item::None)?,
                0x88 | 0x89 => self.push(Item::Bool(instruction == 0x88))?,
                b'K' | b'M' => {
                    let value = self.number(if instruction == b'K' { 1 } else { 2 })?;
                    self.push(Item::Int(value.cast_signed()))?;
                }
                b'J' => {
                    let value = self.number(4)? as u32;
                    self.push(Item::Int(i64::from(value.cast_signed())))?;
                }
                0x8a => {
                    let count = self.size(1)?;
                    let value = long(self.take(count)?);
                    self.push(value)?;
                }
                b'G' => {
                    let value = f64::from_bits(self.number(8)?.swap_bytes());
                    self.push(Item::Float(value))?;
                }
                b'X' | 0x8c | 0x8d => {
                    let count = self.size(match instruction {
                        b'X' => 4,
                        0x8c => 1,
                        _ => 8,
                    })?;
                    let text = self.text(count)?;
                    self.push(Item::Text(text))?;
                }
                b'}' => self.push(Item::Dict(Vec::new()))?,
                b']' => self.push(Item::List(Vec::new()))?,
                b')' => self.push(Item::Tuple(Vec::new()))?,
                b't' => {
                    let items = self.marked()?;
                    self.push(Item::Tuple(items))?;
                }
                0x85..=0x87 => {
                    let mut items = (0..instruction - 0x84).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                    items.reverse();
                    self.push(Item::Tuple(items))?;
                }
                b'a' | b'e' => self.append(instruction == b'e')?,
                b's' | b'u' => self.set(instruction == b'u')?,
                b'q' | b'r' => {
                    let place = self.size(if instruction == b'q' { 1 } else { 4 })?;
                    self.remember(place)?;
                }
                0x94 => self.remember(self.memo.len())?,
                b'h' | b'j' => {
                    let place = self.size(if instruction == b'h' { 1 } else { 4 })?;
                    self.recall(place)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(&module, &name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Item::Text(module), Item::Text(name)) = (&self.items[module], &self.items[name]) else {
                        return Err(self.fault("expected the name of a module and of something in it, found other objects"));
                    };
                    self.name(&module.clone(), &name.clone())?;
                }
                b'Q' => self.storage()?,
                b'R' => self.reduce()?,
                b'b' => self.build()?,
                other => return Err(self.fault(format!("expected an instruction that tensors need, found {other:#04x}"))),
            }
        }
    }

    fn name(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let known = Known::find(module, name).ok_or_else(|| {
            self.fault(format!("it asks for `{module}.{name}`, which no tensor needs; nothing was run, and the file is refused"))
        })?;
        self.push(Item::Name(known))
    }

    fn append(&mut self, many: bool) -> Result<(), Fault> {
        let items = if many { self.marked()? } else { vec![self.pop()?] };
        let list = self.top()?;
        match &mut self.items[list] {
            Item::List(all) => all.extend(items),
            _ => return Err(self.fault("expected a list to append to, found something else")),
        }
        Ok(())
    }

    fn set(&mut self, many: bool) -> Result<(), Fault> {
        let items = if many {
            self.marked()?
        } else {
            let value = self.pop()?;
            vec![self.pop()?, value]
        };
        let dict = self.top()?;
        match &mut self.items[dict] {
            Item::Dict(all) if items.len().is_multiple_of(2) => all.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return Err(self.fault("expected a dictionary and pairs for it, found something else")),
        }
        Ok(())
    }

    /// The object that stands outside: `("storage", kind, key, device, count)`.
    fn storage(&mut self) -> Result<(), Fault> {
        let id = self.pop()?;
        let found = match &self.items[id] {
            Item::Tuple(parts) => match parts.iter().map(|p| &self.items[*p]).collect::<Vec<_>>()[..] {
                [Item::Text(word), Item::Name(Known::StorageOf(dtype)), Item::Text(key), Item::Text(_), Item::Int(count), ..]
                    if word == "storage" =>
                {
                    usize::try_from(*count).ok().map(|count| Storage { dtype: *dtype, key: key.clone(), count })
                }
                _ => None,
            },
            _ => None,
        };
        let found = found.ok_or_else(|| self.fault("expected a storage, found another object that stands outside"))?;
        self.push(Item::Storage(found))
    }

    fn sizes(&self, id: usize) -> Option<Vec<usize>> {
        let Item::Tuple(parts) = &self.items[id] else { return None };
        parts.iter().map(|p| if let Item::Int(n) = self.items[*p] { usize::try_from(n).ok() } else { None }).collect()
    }

    fn reduce(&mut self) -> Result<(), Fault> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Item::Tuple(arguments) = self.items[arguments].clone() else {
            return Err(self.fault("expected a tuple of arguments, found something else"));
        };
        let made = match (&self.items[callee], &arguments[..]) {
            (Item::Name(Known::OrderedDict), []) => Some(Item::Dict(Vec::new())),
            (Item::Name(Known::RebuildParameter), [data, ..]) => Some(self.items[*data].clone()),
            (Item::Name(Known::RebuildTensor), [storage, offset, shape, strides, ..]) => {
                match (&self.items[*storage], &self.items[*offset], self.sizes(*shape), self.sizes(*strides)) {
                    (Item::Storage(storage), Item::Int(offset), Some(shape), Some(strides)) => {
                        usize::try_from(*offset).ok().map(|offset| Item::Tensor { storage: storage.clone(), offset, shape, strides })
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        let made = made.ok_or_else(|| self.fault("expected what rebuilds a tensor or an empty dictionary, found another call"))?;
        self.push(made)
    }

    /// Attributes of a dictionary (its `_metadata`) say nothing of tensors.
    fn build(&mut self) -> Result<(), Fault> {
        self.pop()?;
        let target = self.top()?;
        match &self.items[target] {
            Item::Dict(_) => Ok(()),
            _ => Err(self.fault("expected a dictionary with attributes, found another object with a state")),
        }
    }
}

/// A whole number of so many bytes, from the least.
fn long(bytes: &[u8]) -> Item {
    if bytes.len() > 8 {
        return Item::Long(bytes.to_vec());
    }
    let negative = bytes.last().is_some_and(|b| *b >= 0x80);
    let mut value = [if negative { 0xff } else { 0 }; 8];
    value[..bytes.len()].copy_from_slice(bytes);
    Item::Int(i64::from_le_bytes(value))
}
