//! Messages that differ in all their words, as those of people do: two servers get the same ones by their numbers.

use crate::random::Random;
use std::fmt::Write as _;
use std::ops::Range;

/// In one message of [`RARITY`], and in no other's text.
pub(super) const RARE: &str = "quetzalcoatlus";
const RARITY: u64 = 1_000;
/// Which of them.
const RARE_AT: u64 = 17;
const WORDS: usize = 5_000;
const LINES: usize = 4_000;
/// Octets of a line of text, about.
const LINE: usize = 70;
/// Lines of a message's text: 4 KiB or so with the header.
const SHORTEST: u64 = 20;
const LONGEST: u64 = 80;
const SYLLABLES: [&str; 24] = [
    "ba", "der", "fi", "gor", "han", "in", "jo", "kel", "lum", "mar", "ne", "or", "pal", "ri", "sen", "tu",
    "ver", "wi", "xa", "yon", "zer", "ä", "stra", "ment",
];

/// What letters are made of.
#[derive(Debug)]
pub(super) struct Letters {
    lines: Vec<String>,
    subjects: Vec<String>,
}

impl Letters {
    pub(super) fn new() -> Self {
        let mut random = Random::new(1);
        let words: Vec<String> = (0..WORDS).map(|_| word(&mut random)).collect();
        let lines = (0..LINES).map(|_| line(&words, LINE, &mut random)).collect();
        // Subjects are ASCII: encoded words are not what is measured.
        let ascii: Vec<String> = words.into_iter().filter(|word| word.is_ascii()).collect();
        let subjects = (0..LINES).map(|_| line(&ascii, LINE / 2, &mut random)).collect();
        Self { lines, subjects }
    }

    /// How many of the first so many have [`RARE`] in their text.
    pub(super) fn rare_among(messages: u64) -> u64 {
        (0..messages).filter(|number| is_rare(*number)).count() as u64
    }

    /// The highest number whose letter has [`RARE`], of those of so many; of too few it is not one of them.
    pub(super) fn last_rare_among(messages: u64) -> u64 {
        messages.saturating_sub(RARE_AT + 1) / RARITY * RARITY + RARE_AT
    }

    /// Those of these numbers: making them would take time of what is measured.
    pub(super) fn batch(&self, numbers: Range<u64>) -> Vec<Vec<u8>> {
        numbers.map(|number| self.letter(number)).collect()
    }

    /// The message of this number: of ten, seven are plain text, two have text and HTML, one is in base64.
    pub(super) fn letter(&self, number: u64) -> Vec<u8> {
        let mut random = Random::new(number);
        let kind = random.below(10);
        let (from, day, time) = (random.below(500), 1 + random.below(28), random.below(86_400));
        let subject = &self.subjects[random.place(LINES)];
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let mut letter = format!(
            "From: Person {from} <person{from}@source.test>\r\nTo: <reader@example.org>\r\n\
             Subject: {subject} {number}\r\nDate: {day} Sep 2026 {hour:02}:{minute:02}:{second:02} +0200\r\n\
             Message-ID: <{number}.{from}@source.test>\r\nMIME-Version: 1.0\r\n"
        );
        let text = self.text(number, &mut random);
        match kind {
            0..7 => {
                letter.push_str(
                    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
                );
                letter.push_str(&text);
            }
            7 | 8 => alternatives(&mut letter, number, &text),
            _ => {
                letter.push_str(
                    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
                );
                base64(&mut letter, &text);
            }
        }
        letter.into_bytes()
    }

    fn text(&self, number: u64, random: &mut Random) -> String {
        let mut text = String::with_capacity(8 << 10);
        for _ in 0..SHORTEST + random.below(LONGEST - SHORTEST) {
            text.push_str(&self.lines[random.place(LINES)]);
            text.push_str("\r\n");
        }
        if is_rare(number) {
            let _ = write!(text, "the {RARE} flew\r\n");
        }
        text
    }
}

fn is_rare(number: u64) -> bool {
    number % RARITY == RARE_AT
}

fn word(random: &mut Random) -> String {
    (0..2 + random.below(3)).map(|_| random.one_of(SYLLABLES)).collect()
}

fn line(words: &[String], octets: usize, random: &mut Random) -> String {
    let mut line = String::new();
    while line.len() < octets {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&words[random.place(words.len())]);
    }
    line
}

fn alternatives(letter: &mut String, number: u64, text: &str) {
    let part = "Content-Transfer-Encoding: 8bit\r\n\r\n";
    // Writing to a string cannot fail.
    let _ = write!(
        letter,
        "Content-Type: multipart/alternative; boundary=\"b{number}\"\r\n\r\n\
         --b{number}\r\nContent-Type: text/plain; charset=utf-8\r\n{part}{text}\r\n\
         --b{number}\r\nContent-Type: text/html; charset=utf-8\r\n{part}<html><body>\r\n"
    );
    for line in text.lines() {
        let _ = write!(letter, "<p>{line}</p>\r\n");
    }
    let _ = write!(letter, "</body></html>\r\n--b{number}--\r\n");
}

fn base64(letter: &mut String, text: &str) {
    // 57 octets are a line of 76.
    for piece in text.as_bytes().chunks(57) {
        data_encoding::BASE64.encode_append(piece, letter);
        letter.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_the_same_each_time_and_like_no_other() {
        let (letters, again) = (Letters::new(), Letters::new());
        for number in 0..200 {
            assert_eq!(letters.letter(number), again.letter(number));
            assert_ne!(letters.letter(number), letters.letter(number + 1));
        }
    }

    #[test]
    fn letters_are_lines_of_about_four_kibibytes_in_all() {
        let letters = Letters::new();
        let mut octets = 0;
        for number in 0..1_000 {
            let text = String::from_utf8(letters.letter(number)).unwrap_or_default();
            assert!(text.ends_with("\r\n") && text.lines().all(|line| line.len() < 200 && line != "."));
            assert!(!text.contains("\n."), "no line needs a dot more");
            octets += text.len();
        }
        assert!((3_000..6_000).contains(&(octets / 1_000)), "{}", octets / 1_000);
    }

    #[test]
    fn the_rare_word_is_where_it_is_counted() {
        assert_eq!(Letters::rare_among(17), 0);
        assert_eq!(Letters::rare_among(2_000), 2);
        for (messages, last) in [(17, 17), (18, 17), (1_017, 17), (1_018, 1_017), (20_000, 19_017)] {
            assert_eq!(Letters::last_rare_among(messages), last, "{messages}");
        }
        let letters = Letters::new();
        let has_it = |number| String::from_utf8_lossy(&letters.letter(number)).contains(RARE);
        // A letter in base64 has it as well, which cannot be seen so.
        assert!((0..40_000).filter(|number| is_rare(*number)).filter(|number| has_it(*number)).count() > 20);
        assert!((0..1_000).filter(|number| !is_rare(*number)).all(|number| !has_it(number)));
    }
}
