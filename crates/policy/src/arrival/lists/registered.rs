//! The name under which a list has a domain: as somebody registered it, below a public suffix.
//!
//! Who sends spam makes up any number of names below a domain of its own; lists have that one. Where it ends only the Public
//! Suffix List knows (publicsuffix.org, compiled into the crate `psl`): `example.co.uk` is one, `co.uk` is not.

use address::Domain;
use psl::Type;

/// The names that lists are asked about for `domain`: one, or two where it is below a suffix of its owner's own making.
///
/// A company may let anybody have names below one of its own, such as `github.io`: a list may have a customer's name, or all of
/// it. A name that is itself a suffix, or of one label, is asked about as it is: it is all there is.
pub(super) fn registered(domain: &Domain) -> impl Iterator<Item = &str> {
    let name = domain.as_str();
    let registered = psl::domain_str(name).unwrap_or(name);
    let whole = Some(whole(name)).filter(|whole| *whole != registered);
    std::iter::once(registered).chain(whole)
}

/// What somebody registered with a registry, whatever they let others have below it.
fn whole(mut name: &str) -> &str {
    while let Some(suffix) = made_by_owner(name) {
        let above = suffix.split_once('.').map_or("", |(_, above)| above);
        if psl::domain_str(above).is_none() && made_by_owner(above).is_none() {
            return suffix;
        }
        name = above;
    }
    psl::domain_str(name).unwrap_or(name)
}

/// The suffix of a name, where it is one that its owner made and not a registry.
fn made_by_owner(name: &str) -> Option<&str> {
    let suffix = psl::suffix(name.as_bytes())?;
    (suffix.typ() == Some(Type::Private)).then(|| std::str::from_utf8(suffix.as_bytes()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_asked_about_as_they_were_registered() {
        let check = |name: &str, expected: &[&str]| {
            let domain = name.parse().unwrap();
            assert_eq!(registered(&domain).collect::<Vec<_>>(), expected, "{name}");
        };
        check("example.org", &["example.org"]);
        check("a.b.c.Example.org", &["example.org"]);
        // Suffixes of several labels, of every name but some, and of other alphabets.
        check("a.b.example.co.uk", &["example.co.uk"]);
        check("a.b.example.ck", &["b.example.ck"]);
        check("a.www.ck", &["www.ck"]);
        check("a.city.kawasaki.jp", &["city.kawasaki.jp"]);
        check("www.食狮.公司.cn", &["xn--85x722f.xn--55qx5d.cn"]);
        // Nobody has heard of this one: its names are taken for registered directly below it.
        check("a.b.example", &["b.example"]);
        // Suffixes that companies made.
        check("a.joe.github.io", &["joe.github.io", "github.io"]);
        check("x.joe.blogspot.com", &["joe.blogspot.com", "blogspot.com"]);
        check(
            "a.b.s3.dualstack.us-east-1.amazonaws.com",
            &["b.s3.dualstack.us-east-1.amazonaws.com", "amazonaws.com"],
        );
        // No more than a suffix.
        check("co.uk", &["co.uk"]);
        check("github.io", &["github.io"]);
        check("localhost", &["localhost"]);
    }
}
