//! Reading TOML tables key by key, keeping every mistake with its place.

use super::problem::{Location, Problem};
use super::suggest::{hint, nearest};
use std::cell::RefCell;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Mistakes found so far in a text.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: RefCell::default() }
    }

    pub(super) fn add(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<Option<String>>) {
        let at = self.locate(&span);
        self.found.borrow_mut().push(Problem { at, span, message: message.into(), help: help.into() });
    }

    pub(super) fn locate(&self, span: &Range<usize>) -> Location {
        Location::of(self.text, span.start)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    pub(super) fn into_inner(self) -> Vec<Problem> {
        self.found.into_inner()
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// One table, read key by key. [`Table::finish`] reports the keys nobody asked for.
pub(super) struct Table<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    what: String,
    problems: &'a Problems<'a>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, span: Range<usize>, what: impl Into<String>, problems: &'a Problems<'a>) -> Self {
        Self { table, span, what: what.into(), problems, known: RefCell::default() }
    }

    /// Says which entry this is, once its name is known.
    pub(super) fn rename(&mut self, what: impl Into<String>) {
        self.what = what.into();
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn problems(&self) -> &'a Problems<'a> {
        self.problems
    }

    /// Whether the key is there; it counts as known from now on.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.raw(key).is_some()
    }

    fn raw(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    fn wrong(&self, key: &str, expected: &str, found: &Spanned<DeValue<'_>>) {
        let message = format!("{}: `{key}`: expected {expected}, found {}", self.what, describe(found.get_ref()));
        self.problems.add(found.span(), message, None);
    }

    /// Reports that a key is missing, with what should stand there.
    pub(super) fn missing(&self, key: &str, expected: &str) {
        let help = self
            .table
            .keys()
            .map(|k| k.get_ref().as_ref())
            .filter(|k| !self.known.borrow().contains(k))
            .find(|k| nearest(k, [key]).is_some())
            .map(|k| format!("is `{k}` meant to be `{key}`?"));
        self.problems.add(self.span(), format!("{}: missing key `{key}`: expected {expected}, found nothing", self.what), help);
    }

    fn optional<T>(&self, key: &'static str, expected: &str, read: impl Fn(&'a DeValue<'a>) -> Option<T>) -> Option<At<T>> {
        let raw = self.raw(key)?;
        let value = read(raw.get_ref());
        if value.is_none() {
            self.wrong(key, expected, raw);
        }
        value.map(|value| At { value, span: raw.span() })
    }

    pub(super) fn str(&self, key: &'static str) -> Option<At<String>> {
        self.optional(key, "a string", |v| v.as_str().map(str::to_owned))
    }

    /// A string that must be there and not be empty.
    pub(super) fn need_str(&self, key: &'static str, expected: &str) -> Option<At<String>> {
        if !self.has(key) {
            self.missing(key, expected);
            return None;
        }
        let text = self.optional(key, expected, |v| v.as_str().map(str::to_owned))?;
        if text.value.trim().is_empty() {
            self.problems.add(text.span, format!("{}: `{key}`: expected {expected}, found an empty string", self.what), None);
            return None;
        }
        Some(text)
    }

    pub(super) fn bool(&self, key: &'static str) -> Option<bool> {
        self.optional(key, "true or false", DeValue::as_bool).map(|v| v.value)
    }

    /// A non-negative integer.
    pub(super) fn unsigned(&self, key: &'static str, expected: &str) -> Option<At<u64>> {
        self.optional(key, expected, |v| v.as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok()))
    }

    pub(super) fn need_unsigned(&self, key: &'static str, expected: &str) -> Option<u64> {
        if !self.has(key) {
            self.missing(key, expected);
            return None;
        }
        self.unsigned(key, expected).map(|v| v.value)
    }

    /// A finite number that must be there.
    pub(super) fn need_number(&self, key: &'static str) -> Option<f64> {
        if !self.has(key) {
            self.missing(key, "a number");
            return None;
        }
        let read = |v: &DeValue<'_>| match v {
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
            DeValue::Float(x) => x.as_str().parse::<f64>().ok().filter(|x| x.is_finite()),
            _ => None,
        };
        self.optional(key, "a finite number", read).map(|v| v.value)
    }

    /// A finite number, if the key is there.
    pub(super) fn number(&self, key: &'static str) -> Option<f64> {
        if self.has(key) { self.need_number(key) } else { None }
    }

    /// A list of strings; absent is empty.
    pub(super) fn strings(&self, key: &'static str) -> Vec<At<String>> {
        self.items(key, "a list of strings")
            .iter()
            .filter_map(|item| match item.get_ref().as_str() {
                Some(text) => Some(At { value: text.to_owned(), span: item.span() }),
                None => {
                    self.wrong(key, "a list of strings", item);
                    None
                }
            })
            .collect()
    }

    fn items(&self, key: &'static str, expected: &str) -> &'a [Spanned<DeValue<'a>>] {
        let Some(raw) = self.raw(key) else { return &[] };
        if let Some(items) = raw.get_ref().as_array() {
            return items;
        }
        self.wrong(key, expected, raw);
        &[]
    }

    /// A list of tables; absent is empty.
    pub(super) fn tables(&self, key: &'static str, what: &str) -> Vec<Table<'a>> {
        let expected = format!("a list of tables ({what})");
        self.items(key, &expected)
            .iter()
            .filter_map(|item| match item.get_ref() {
                DeValue::Table(table) => Some(Table::new(table, item.span(), self.inner(what), self.problems)),
                _ => {
                    self.wrong(key, &expected, item);
                    None
                }
            })
            .collect()
    }

    /// The tables of a list that was already read, without a word about what does not fit.
    pub(super) fn tables_again(&self, key: &str) -> Vec<Table<'a>> {
        let items: &'a [Spanned<DeValue<'a>>] = self.table.get(key).and_then(|v| v.get_ref().as_array()).map_or(&[], |items| items);
        items.iter().filter_map(|item| Some(Table::new(item.get_ref().as_table()?, item.span(), String::new(), self.problems))).collect()
    }

    /// A string that was already read.
    pub(super) fn str_quietly(&self, key: &str) -> Option<At<String>> {
        let raw = self.table.get(key)?;
        raw.get_ref().as_str().map(|text| At { value: text.to_owned(), span: raw.span() })
    }

    /// A list of strings that was already read.
    pub(super) fn strings_quietly(&self, key: &str) -> Vec<At<String>> {
        let items: &[Spanned<DeValue<'_>>] = self.table.get(key).and_then(|v| v.get_ref().as_array()).map_or(&[], |items| items);
        items.iter().filter_map(|item| item.get_ref().as_str().map(|t| At { value: t.to_owned(), span: item.span() })).collect()
    }

    /// A table; absent is `None`.
    pub(super) fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let table = self.optional(key, "a table", |v| v.as_table())?;
        Some(Table::new(table.value, table.span, self.inner(key), self.problems))
    }

    /// A value of any kind.
    pub(super) fn any(&self, key: &'static str) -> Option<At<&'a DeValue<'a>>> {
        self.raw(key).map(|raw| At { value: raw.get_ref(), span: raw.span() })
    }

    fn inner(&self, what: &str) -> String {
        if self.what.is_empty() { what.to_owned() } else { format!("{}, {what}", self.what) }
    }

    /// Reports a mistake in the value of `key`.
    pub(super) fn bad(&self, span: Range<usize>, key: &str, message: &str, help: impl Into<Option<String>>) {
        self.problems.add(span, format!("{}: `{key}`: {message}", self.what), help);
    }

    /// Reports a mistake of the whole table.
    pub(super) fn bad_table(&self, message: &str, help: impl Into<Option<String>>) {
        self.problems.add(self.span(), format!("{}: {message}", self.what), help);
    }

    /// Reports every key that was never asked for, with the nearest one that is known.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for key in self.table.keys().filter(|k| !known.contains(&k.get_ref().as_ref())) {
            let name = key.get_ref();
            self.problems.add(key.span(), format!("{}: unknown key `{name}`", self.what), hint(name, known.iter().copied()));
        }
    }
}

/// A value in a few words, for "found ...".
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(i) => format!("the integer {i}"),
        DeValue::Float(x) => format!("the float {x}"),
        DeValue::Boolean(b) => format!("the boolean {b}"),
        DeValue::Datetime(d) => format!("the date {d}"),
        DeValue::Array(items) => format!("a list of {}", items.len()),
        DeValue::Table(table) => format!("a table of {} keys", table.len()),
    }
}
