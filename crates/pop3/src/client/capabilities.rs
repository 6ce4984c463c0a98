//! What a server can do (RFC 2449 §5).

/// Capabilities kept; RFC 2449 and its successors know about fifteen.
pub const MAX_CAPABILITIES: usize = 100;

/// The answer to CAPA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<String>,
}

impl Capabilities {
    pub(super) fn push(&mut self, line: String) {
        if self.lines.len() < MAX_CAPABILITIES {
            self.lines.push(line);
        }
    }

    /// The lines as the server wrote them.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Whether the server has the capability, its name in any case.
    pub fn has(&self, tag: &str) -> bool {
        self.arguments(tag).is_some()
    }

    /// The words after a capability's name.
    pub fn arguments(&self, tag: &str) -> Option<impl Iterator<Item = &str>> {
        self.lines.iter().find_map(|line| {
            let mut words = line.split(' ').filter(|word| !word.is_empty());
            words.next().is_some_and(|word| word.eq_ignore_ascii_case(tag)).then_some(words)
        })
    }

    /// The SASL mechanisms (RFC 5034 §3).
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.arguments("SASL").into_iter().flatten()
    }
}
