//! What was in a database, and whether it is still there, column by column, whatever the column is for.

use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::BTreeMap;

/// Columns that a migration took away, and what has their values since; [`super::reading`] sees that it does.
const MOVED: [(&str, &str); 2] = [
    // `subscription`, by name (main-2).
    ("mailbox", "subscribed"),
    // The table `prefix`; in its place is the number of a row there (main-2).
    ("message", "prefix"),
];
/// Tables whose rows go when the store is opened: that is what they are for.
const GOES: [&str; 1] = ["unreferenced"];

/// The rows of every table.
pub(crate) struct Content(BTreeMap<String, Table>);

struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Content {
    /// Without what SQLite and FTS5 keep for themselves; of FTS5's, it says that a table is there and how many documents it has.
    pub(crate) fn of(db: &Connection) -> Self {
        let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') \
                   AND name NOT LIKE 'sqlite_%'";
        let mut statement = db.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        Self(names.map(|name| name.unwrap()).map(|name| (name.clone(), Table::of(db, &name))).collect())
    }

    /// What of it is not in `after`.
    pub(crate) fn lost_in(&self, after: &Self) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, table) in self.0.iter().filter(|(name, _)| !GOES.contains(&name.as_str())) {
            let Some(now) = after.0.get(name) else {
                lost.push(format!("the table {name}"));
                continue;
            };
            let (kept, gone): (Vec<&String>, Vec<&String>) = table
                .columns
                .iter()
                .filter(|column| !MOVED.contains(&(name.as_str(), column.as_str())))
                .partition(|column| now.columns.contains(column));
            lost.extend(gone.into_iter().map(|column| format!("the column {name}.{column}")));
            let now = now.picked(&kept);
            let missing = table.picked(&kept).into_iter().filter(|row| !now.contains(row));
            lost.extend(missing.map(|row| format!("of {name} {kept:?}: {row:?}")));
        }
        lost
    }

    /// Columns without a value that a lost one would not have too.
    pub(crate) fn empty_columns(&self) -> Vec<String> {
        let mut empty = Vec::new();
        for (name, table) in &self.0 {
            for (at, column) in table.columns.iter().enumerate() {
                if !table.rows.iter().any(|row| says_something(&row[at])) {
                    empty.push(format!("{name}.{column}"));
                }
            }
        }
        empty
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Integer(number) => *number != 0,
        Value::Real(number) => *number != 0.0,
        Value::Text(text) => !text.is_empty(),
        Value::Blob(octets) => !octets.is_empty(),
    }
}

impl Table {
    fn of(db: &Connection, name: &str) -> Self {
        // An FTS5 table without content has no values to read but the numbers of its documents.
        let columns = if name == "gram" { "rowid" } else { "*" };
        let mut statement = db.prepare(&format!("SELECT {columns} FROM \"{name}\"")).unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let count = columns.len();
        let rows = statement.query_map([], |row| (0..count).map(|at| row.get(at)).collect()).unwrap();
        Self { columns, rows: rows.collect::<Result<_, _>>().unwrap() }
    }

    fn picked(&self, columns: &[&String]) -> Vec<Vec<&Value>> {
        let places: Vec<usize> = columns
            .iter()
            .map(|name| self.columns.iter().position(|column| column == *name).unwrap())
            .collect();
        self.rows.iter().map(|row| places.iter().map(|at| &row[*at]).collect()).collect()
    }
}
