//! Rows as they are in their tables.

use crate::Id;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Blob),
}

/// Octets: as text where they are UTF-8, which most are and which is smaller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blob {
    Utf8(String),
    Base64(String),
}

impl Blob {
    pub(super) fn new(octets: &[u8]) -> Self {
        match std::str::from_utf8(octets) {
            Ok(text) => Self::Utf8(text.to_owned()),
            Err(_) => Self::Base64(BASE64.encode(octets)),
        }
    }

    /// `None` where it was not written by [`Blob::new`].
    pub(super) fn octets(&self) -> Option<Vec<u8>> {
        match self {
            Self::Utf8(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => BASE64.decode(text.as_bytes()).ok(),
        }
    }
}

impl Value {
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The octets of a blob.
    pub fn octets(&self) -> Option<Vec<u8>> {
        match self {
            Self::Blob(blob) => blob.octets(),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Some rows of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// Where a column is in each row.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The integers of some columns, row by row; a row without them is passed over.
    pub fn integers<'a, const N: usize>(
        &'a self,
        names: [&str; N],
    ) -> impl Iterator<Item = [i64; N]> + use<'a, N> {
        let places = names.map(|name| self.column(name).unwrap_or(usize::MAX));
        self.rows.iter().filter_map(move |row| {
            let mut found = [0; N];
            for (slot, place) in found.iter_mut().zip(places) {
                *slot = row.get(place)?.integer()?;
            }
            Some(found)
        })
    }

    /// The rows, each with what its integer in a column stands for.
    fn rows_by<'a>(
        &'a self,
        name: &str,
        number: impl Fn(i64) -> Option<u32> + 'a,
    ) -> impl Iterator<Item = (u32, &'a Vec<Value>)> {
        let place = self.column(name).unwrap_or(usize::MAX);
        self.rows.iter().filter_map(move |row| Some((number(row.get(place)?.integer()?)?, row)))
    }

    /// Keeps the rows of which a column's integer is wanted.
    pub fn retain(&mut self, name: &str, mut wanted: impl FnMut(i64) -> bool) {
        let place = self.column(name).unwrap_or(usize::MAX);
        self.rows.retain(|row| row.get(place).and_then(Value::integer).is_some_and(&mut wanted));
    }
}

/// Messages of one folder, and what is above their bodies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    pub messages: Table,
    pub prefixes: Table,
}

/// A body that a row names, and its octets.
pub type Named = (Id, u64);

impl Messages {
    pub fn is_empty(&self) -> bool {
        self.messages.rows.is_empty()
    }

    pub fn len(&self) -> usize {
        self.messages.rows.len()
    }

    /// UID and body of each.
    pub fn bodies(&self) -> impl Iterator<Item = (u32, Named)> + '_ {
        self.messages.integers(["uid", "body", "body_size"]).filter_map(|[uid, body, size]| {
            Some((u32::try_from(uid).ok()?, (Id::from_stored(body), size.max(0).unsigned_abs())))
        })
    }

    /// Takes away the messages that are not wanted, and what is above their bodies.
    pub fn retain(&mut self, mut wanted: impl FnMut(u32, Id) -> bool) {
        let kept: HashSet<u32> =
            self.bodies().filter(|(uid, (body, _))| wanted(*uid, *body)).map(|(uid, _)| uid).collect();
        self.messages.retain("uid", |uid| u32::try_from(uid).is_ok_and(|uid| kept.contains(&uid)));
        self.drop_prefixes();
    }

    /// Takes over newer messages; those that are there already are replaced.
    pub fn merge(&mut self, newer: Self) {
        let fresh: HashSet<i64> = newer.messages.integers(["uid"]).map(|[uid]| uid).collect();
        self.messages.retain("uid", |uid| !fresh.contains(&uid));
        take_rows(&mut self.messages, newer.messages);
        if let Some(place) = self.messages.column("uid") {
            self.messages.rows.sort_by_key(|row| row.get(place).and_then(Value::integer));
        }
        let fresh: HashSet<i64> = newer.prefixes.integers(["id"]).map(|[id]| id).collect();
        self.prefixes.retain("id", |id| !fresh.contains(&id));
        take_rows(&mut self.prefixes, newer.prefixes);
        if let Some(place) = self.prefixes.column("id") {
            self.prefixes.rows.sort_by_key(|row| row.get(place).and_then(Value::integer));
        }
        self.drop_prefixes();
    }

    /// The messages by ranges of `size` UIDs, each with its number.
    pub fn split(self, size: u32) -> BTreeMap<u32, Self> {
        let number_of = |uid: i64| u32::try_from(uid).unwrap_or(u32::MAX) / size.max(1);
        let of_prefix: HashMap<i64, u32> =
            self.messages.integers(["prefix", "uid"]).map(|[prefix, uid]| (prefix, number_of(uid))).collect();
        let mut parts: BTreeMap<u32, Self> = BTreeMap::new();
        for (number, row) in self.messages.rows_by("uid", |uid| Some(number_of(uid))) {
            let part = parts.entry(number).or_insert_with(|| Self::like(&self.messages, &self.prefixes));
            part.messages.rows.push(row.clone());
        }
        for (number, row) in self.prefixes.rows_by("id", |id| of_prefix.get(&id).copied()) {
            if let Some(part) = parts.get_mut(&number) {
                part.prefixes.rows.push(row.clone());
            }
        }
        parts
    }

    fn like(messages: &Table, prefixes: &Table) -> Self {
        let empty =
            |of: &Table| Table { name: of.name.clone(), columns: of.columns.clone(), rows: Vec::new() };
        Self { messages: empty(messages), prefixes: empty(prefixes) }
    }

    fn drop_prefixes(&mut self) {
        let named: HashSet<i64> = self.messages.integers(["prefix"]).map(|[prefix]| prefix).collect();
        self.prefixes.retain("id", |id| named.contains(&id));
    }
}

fn take_rows(table: &mut Table, newer: Table) {
    if table.columns.is_empty() {
        *table = newer;
    } else {
        table.rows.extend(newer.rows);
    }
}
