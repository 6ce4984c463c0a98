//! Which folder here a folder of the other side goes to.

use admin::import::folder_name;
use std::str::FromStr;

/// `OLD=NEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    old: String,
    new: String,
}

impl Rename {
    pub(super) fn old(&self) -> &str {
        &self.old
    }
}

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => {
                Ok(Self { old: old.to_owned(), new: new.to_owned() })
            }
            _ => Err(format!("{text:?} is not OLD=NEW")),
        }
    }
}

/// What was said about folders.
#[derive(Debug, Clone, Default)]
pub(super) struct Placing {
    pub(super) under: Option<String>,
    pub(super) renames: Vec<Rename>,
    pub(super) exclude: Vec<String>,
}

/// Where a folder goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What it is called there, its levels with `/` between.
    pub(super) name: String,
    /// What it is called here; none: it is left out.
    pub(super) folder: Option<String>,
    /// Nothing was said about it, so that its special use may say where it goes.
    pub(super) by_role: bool,
}

impl Placing {
    pub(super) fn of(&self, levels: &[String]) -> Place {
        let name = folder_name(levels);
        if self.exclude.iter().any(|old| below(&name, old).is_some()) {
            return Place { name, folder: None, by_role: false };
        }
        let renamed = self
            .renames
            .iter()
            .find_map(|rename| below(&name, &rename.old).map(|rest| format!("{}{rest}", rename.new)));
        let folder = match (&renamed, &self.under) {
            (Some(new), _) => new.clone(),
            (None, None) => name.clone(),
            (None, Some(under)) => match below(&name, "INBOX") {
                Some(rest) => format!("{under}{rest}"),
                None => format!("{under}/{name}"),
            },
        };
        let levels: Vec<&str> = folder.split('/').filter(|level| !level.is_empty()).collect();
        let by_role = renamed.is_none() && self.under.is_none();
        Place { name, folder: Some(folder_name(&levels)), by_role }
    }
}

/// What follows `old` in a name that is it, or below it.
fn below<'a>(name: &'a str, old: &str) -> Option<&'a str> {
    name.strip_prefix(old.trim_end_matches('/')).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_where_it_was_said() {
        let check = |placing: &Placing, name: &str, expected: Option<&str>| {
            let levels: Vec<String> =
                name.split('|').filter(|level| !level.is_empty()).map(str::to_owned).collect();
            assert_eq!(placing.of(&levels).folder.as_deref(), expected, "{name}");
        };
        let plain = Placing::default();
        check(&plain, "", Some("INBOX"));
        check(&plain, "inbox|a", Some("INBOX/a"));
        check(&plain, "a/b|c\u{7}|", Some("a_b/c_"));
        let renames = vec!["Sent Items=Sent".parse().unwrap(), "Old=INBOX".parse().unwrap()];
        let placing = Placing { renames, exclude: vec!["Trash".to_owned()], under: None };
        check(&placing, "Sent Items", Some("Sent"));
        check(&placing, "Sent Items|2024", Some("Sent/2024"));
        check(&placing, "Sent Items2", Some("Sent Items2"));
        check(&placing, "Old", Some("INBOX"));
        check(&placing, "Trash|x", None);
        check(&placing, "Trashy", Some("Trashy"));
        let under = Placing { under: Some("From there/".to_owned()), ..Placing::default() };
        check(&under, "", Some("From there"));
        check(&under, "a|b", Some("From there/a/b"));
        for text in ["", "a", "=b", "a="] {
            assert!(text.parse::<Rename>().is_err(), "{text}");
        }
    }
}
