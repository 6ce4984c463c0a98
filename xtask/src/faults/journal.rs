//! What the harness knows of each message: into memory, and between the calls of a record when there is one.

use crate::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known of a message by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The domain and the accounts are there; the name is empty.
    Ready,
    /// Its end of data is about to be sent.
    Sent,
    /// It was answered 250.
    Promised,
    /// The next server has it whole and is about to answer 250.
    Sunk,
}

impl Mark {
    const ALL: [(Self, &str); 4] =
        [(Self::Ready, "ready"), (Self::Sent, "sent"), (Self::Promised, "promised"), (Self::Sunk, "sunk")];

    /// From the text of a record, with the name.
    pub(crate) fn read(text: &str) -> Option<(Self, String)> {
        let (word, name) = text.split_once(' ')?;
        Self::ALL.iter().find(|known| known.1 == word).map(|known| (known.0, name.to_owned()))
    }

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|known| known.0 == self).map_or("", |known| known.1)
    }
}

#[derive(Debug, Default)]
pub struct Journal {
    trace: Option<File>,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    marks: Vec<(Mark, String)>,
    failures: Vec<String>,
}

impl Journal {
    /// Marks go also into the record `trace`, which the shim appends to as well.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn recording(trace: &Path) -> Result<Self, Error> {
        let file = File::options().append(true).create(true).open(trace)?;
        Ok(Self { trace: Some(file), ..Self::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, mark: Mark, name: &str) {
        let mut noted = self.lock();
        if let Some(mut trace) = self.trace.as_ref() {
            let text = format!("{} {name}", mark.word());
            let mut record = Vec::new();
            // `struct head` of the shim, kind K.
            for field in [u32::from(b'K'), u32::MAX, 0, 0, text.len() as u32, 0, 0, 0] {
                record.extend_from_slice(&field.to_le_bytes());
            }
            record.extend_from_slice(text.as_bytes());
            if let Err(error) = trace.write_all(&record) {
                noted.failures.push(format!("the record: {error}"));
            }
        }
        noted.marks.push((mark, name.to_owned()));
    }

    /// Something is wrong, and the run goes on.
    pub fn fail(&self, what: String) {
        self.lock().failures.push(what);
    }

    pub fn failures(&self) -> Vec<String> {
        self.lock().failures.clone()
    }

    pub fn marks(&self) -> Vec<(Mark, String)> {
        self.lock().marks.clone()
    }

    pub fn count(&self, mark: Mark) -> usize {
        self.lock().marks.iter().filter(|noted| noted.0 == mark).count()
    }
}
