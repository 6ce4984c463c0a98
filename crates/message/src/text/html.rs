//! HTML as text, in pieces.

use mail_parser::decoders::html::add_html_token;

/// Longest character reference, in octets: `&CounterClockwiseContourIntegral;`.
const MAX_REFERENCE: usize = 33;
/// As much of an element's name as tells it from those that matter here, in octets.
const MAX_NAME: usize = 16;

/// Elements that stand within words and lines; the others part what is before them from what is in them.
const INLINE: [&str; 29] = [
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd",
    "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];
/// Elements in which nothing but their own end is a tag.
const RAW: [&str; 2] = ["script", "style"];

/// Reads the text of HTML: words with one space between them, and line ends where lines are broken and paragraphs end. The result
/// is the same however it is cut. Nothing fails: what is no tag is text.
#[derive(Debug, Default)]
pub(super) struct Html {
    state: State,
    /// What has begun: a character reference, or the name of an element.
    held: String,
    /// The element of [`RAW`] that we are in.
    raw: Option<&'static str>,
    /// In `head` or `template`, of which nothing is shown.
    head: bool,
    template: bool,
    /// There was white space since the last word.
    space: bool,
    /// There is a word on this line.
    line: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// After `&`.
    Reference,
    /// After `<`.
    Open,
    /// In the name of an element, of which this is the end or not.
    Name { closes: bool },
    /// After the name: attributes, to the next `>`, in quotes or not.
    Tag,
    /// After `<!`: a comment, or a declaration.
    Markup,
    /// In a comment, after so many hyphens, two at most.
    Comment { hyphens: u8 },
}

impl Html {
    /// Appends the text of the next piece.
    pub(super) fn feed(&mut self, piece: &str, out: &mut String) {
        let mut rest = piece;
        while !rest.is_empty() {
            rest = match self.state {
                State::Text => self.text(rest, out),
                State::Reference => self.reference(rest, out),
                State::Open => self.open(rest, out),
                State::Name { closes } => self.name(rest, closes, out),
                State::Tag => self.tag(rest),
                State::Markup => self.markup(rest),
                State::Comment { hyphens } => self.comment(rest, hyphens),
            };
        }
    }

    /// What was held back.
    pub(super) fn finish(mut self, out: &mut String) {
        match self.state {
            State::Reference => self.give_up(out),
            State::Open => self.word("<", out),
            _ => {}
        }
    }

    fn text<'a>(&mut self, text: &'a str, out: &mut String) -> &'a str {
        let end = memchr::memchr2(b'<', b'&', text.as_bytes()).unwrap_or(text.len());
        for (at, word) in text[..end].split([' ', '\t', '\r', '\n', '\u{c}']).enumerate() {
            self.space |= at > 0;
            self.word(word, out);
        }
        match text.as_bytes().get(end) {
            Some(b'<') => self.state = State::Open,
            Some(_) => {
                self.held.push('&');
                self.state = State::Reference;
            }
            None => {}
        }
        text.get(end + 1..).unwrap_or_default()
    }

    fn reference<'a>(&mut self, text: &'a str, out: &mut String) -> &'a str {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '#');
        let (name, after) = text.split_at(end.unwrap_or(text.len()));
        let fits = self.held.len() + name.len() < MAX_REFERENCE;
        if fits {
            self.held.push_str(name);
        }
        match after.strip_prefix(';') {
            Some(after) if fits => {
                let (mut character, held) = (String::new(), std::mem::take(&mut self.held) + ";");
                add_html_token(&mut character, held.as_bytes(), false);
                self.word(&character, out);
                self.state = State::Text;
                after
            }
            None if fits && after.is_empty() => after,
            _ => {
                self.give_up(out);
                if fits { after } else { text }
            }
        }
    }

    /// It was no character reference.
    fn give_up(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        self.word(&held, out);
        self.state = State::Text;
    }

    fn open<'a>(&mut self, text: &'a str, out: &mut String) -> &'a str {
        let next = text.as_bytes().first().copied().unwrap_or_default();
        self.state = match next {
            b'/' => State::Name { closes: true },
            _ if self.raw.is_some() => State::Text,
            b'!' => State::Markup,
            b'?' => State::Tag,
            letter if letter.is_ascii_alphabetic() => State::Name { closes: false },
            _ => {
                self.word("<", out);
                State::Text
            }
        };
        if matches!(next, b'/' | b'!') && !matches!(self.state, State::Text) { &text[1..] } else { text }
    }

    fn name<'a>(&mut self, text: &'a str, closes: bool, out: &mut String) -> &'a str {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric());
        let (name, after) = text.split_at(end.unwrap_or(text.len()));
        let room = MAX_NAME.saturating_sub(self.held.len());
        self.held.push_str(&name[..name.len().min(room)]);
        if end.is_some() {
            let name = std::mem::take(&mut self.held);
            self.element(&name.to_ascii_lowercase(), closes, out);
            self.state = State::Tag;
        }
        after
    }

    fn element(&mut self, name: &str, closes: bool, out: &mut String) {
        if let Some(raw) = self.raw {
            if closes && name == raw {
                self.raw = None;
            }
            return;
        }
        match name {
            "head" => self.head = !closes,
            "body" => self.head = false,
            "template" => self.template = !closes,
            _ if !closes => self.raw = RAW.into_iter().find(|raw| *raw == name),
            _ => {}
        }
        if name == "br" || closes && name == "p" {
            if !self.is_hidden() {
                out.push('\n');
            }
            (self.space, self.line) = (false, false);
        } else {
            self.space |= !INLINE.contains(&name);
        }
    }

    fn tag<'a>(&mut self, text: &'a str) -> &'a str {
        let Some(end) = memchr::memchr(b'>', text.as_bytes()) else { return "" };
        self.state = State::Text;
        &text[end + 1..]
    }

    fn markup<'a>(&mut self, text: &'a str) -> &'a str {
        let Some(after) = text.strip_prefix('-') else {
            self.held.clear();
            self.state = State::Tag;
            return text;
        };
        self.held.push('-');
        if self.held.len() == 2 {
            self.held.clear();
            // `<!-->` is one too.
            self.state = State::Comment { hyphens: 2 };
        }
        after
    }

    fn comment<'a>(&mut self, text: &'a str, before: u8) -> &'a str {
        let mut hyphens = before;
        for (at, octet) in text.bytes().enumerate() {
            hyphens = match octet {
                b'-' => 2.min(hyphens + 1),
                b'>' if hyphens == 2 => {
                    self.state = State::Text;
                    return &text[at + 1..];
                }
                _ => 0,
            };
        }
        self.state = State::Comment { hyphens };
        ""
    }

    fn is_hidden(&self) -> bool {
        self.head || self.template || self.raw.is_some()
    }

    /// A word or a part of one.
    fn word(&mut self, word: &str, out: &mut String) {
        if word.is_empty() || self.is_hidden() {
            return;
        }
        if self.space && self.line {
            out.push(' ');
        }
        (self.space, self.line) = (false, true);
        out.push_str(word);
    }
}
