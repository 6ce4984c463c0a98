//! What a listed host says with XFORWARD of the client before it, for log and trail.

use smtp::command::{Attribute, AttributeValue};

/// The attributes of one message. They may come in several commands before its MAIL, and go with it.
#[derive(Debug, Default)]
pub(crate) struct Forwarded {
    /// Each name once, so no more than there are.
    attributes: Vec<Attribute>,
    /// By a transaction.
    used: bool,
}

impl Forwarded {
    pub(crate) fn add(&mut self, attributes: Vec<Attribute>) {
        if std::mem::take(&mut self.used) {
            self.attributes.clear();
        }
        for attribute in attributes {
            self.attributes.retain(|before| before.name != attribute.name);
            self.attributes.push(attribute);
        }
    }

    /// A transaction begins, for which what was said since the one before it holds.
    pub(crate) fn begin(&mut self) {
        if std::mem::replace(&mut self.used, true) {
            self.attributes.clear();
        }
    }

    /// As the command has it, without what the host does not know.
    pub(crate) fn shown(&self) -> Option<String> {
        let known = self.attributes.iter().filter(|one| matches!(one.value, AttributeValue::Known(_)));
        let words: Vec<String> = known.map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}
