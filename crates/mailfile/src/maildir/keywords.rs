//! `dovecot-keywords`: what the letters a to z in the names of a folder's files mean. A line each: `0 $Forwarded`.

use crate::Error;
use std::fmt;
use std::path::Path;

/// Keywords of a folder that have a letter.
pub const MAX_LETTERS: usize = 26;
const FILE: &str = "dovecot-keywords";

/// The keywords of one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords(Vec<String>);

impl Keywords {
    /// Those of a folder; none where there is no such file.
    pub fn read(folder: &Path) -> Self {
        Self::parse(&std::fs::read(folder.join(FILE)).unwrap_or_default())
    }

    /// What such a file says. Lines that mean nothing are passed over.
    pub fn parse(text: &[u8]) -> Self {
        let mut words = Self::default();
        for line in String::from_utf8_lossy(text).lines() {
            let Some((number, word)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            if number < MAX_LETTERS {
                if words.0.len() <= number {
                    words.0.resize(number + 1, String::new());
                }
                words.0[number] = word.trim().to_owned();
            }
        }
        words
    }

    pub fn of(&self, letter: u8) -> Option<&str> {
        let place = usize::from(letter.checked_sub(b'a')?);
        self.0.get(place).map(String::as_str).filter(|word| !word.is_empty())
    }

    /// The letter of a keyword, a new one where it has none yet; `None` when all are used up.
    pub fn letter(&mut self, keyword: &str) -> Option<u8> {
        let known = self.0.iter().position(|own| own.eq_ignore_ascii_case(keyword));
        let place = known.or_else(|| self.0.iter().position(String::is_empty)).unwrap_or(self.0.len());
        if place >= MAX_LETTERS {
            return None;
        }
        if place == self.0.len() {
            self.0.push(String::new());
        }
        if known.is_none() {
            self.0[place] = keyword.to_owned();
        }
        Some(b'a' + place as u8)
    }

    /// Writes them where they are read from, if there are any.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let (path, new) = (folder.join(FILE), folder.join(format!("{FILE}.new")));
        std::fs::write(&new, self.to_string()).map_err(Error::file(&new))?;
        std::fs::rename(&new, &path).map_err(Error::file(&path))
    }
}

/// As the file has them.
impl fmt::Display for Keywords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.iter().enumerate().filter(|(_, word)| !word.is_empty());
        lines.try_for_each(|(number, word)| writeln!(f, "{number} {word}"))
    }
}
