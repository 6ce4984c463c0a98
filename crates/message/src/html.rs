//! HTML from strangers, made harmless.

use ammonia::{Builder, UrlRelative};
use std::collections::HashSet;

/// Most tags in HTML that is shown as such. Large newsletters have some thousand; the work of reading tags that are
/// nested and never closed grows with their square.
const MAX_TAGS: usize = 10_000;

/// Whether `html` is small enough for [`harmless`].
pub(crate) fn fits(html: &str) -> bool {
    memchr::memchr_iter(b'<', html.as_bytes()).count() <= MAX_TAGS
}

/// `html` without anything that runs, loads or submits. `image` gives the address for an image of the message
/// (`cid:`, RFC 2392); every other image goes, for loading it would tell its sender who reads what, and when.
pub(crate) fn harmless(html: &str, image: &(impl Fn(&str) -> Option<String> + Send + Sync)) -> String {
    // First everything but `cid:` images is taken away, then those are given their address: so nothing that a
    // message says can pass for an address of ours.
    let mut builder = Builder::default();
    builder
        .url_schemes(HashSet::from(["http", "https", "mailto", "cid"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("img", "src") => scheme(value, "cid:").then(|| value.into()),
            (_, "href") if scheme(value, "cid:") => None,
            _ => Some(value.into()),
        });
    let clean = builder.clean(html).to_string();
    rewrite_images(&clean, image)
}

/// Plain text as HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn scheme(value: &str, scheme: &str) -> bool {
    value.trim_start().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// In what ammonia wrote, an attribute is always ` src="…"` with quotes escaped, and text has no bare `<`.
fn rewrite_images(clean: &str, image: &impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(clean.len());
    let mut rest = clean;
    while let Some(start) = rest.find("<img") {
        let end = tag_end(&rest[start..]).map_or(rest.len(), |end| start + end);
        out.push_str(&rest[..start]);
        out.push_str(&rewrite_image(&rest[start..end], image));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Where the tag ends: at the first `>` outside quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.bytes()
        .position(|b| {
            quoted ^= b == b'"';
            b == b'>' && !quoted
        })
        .map(|at| at + 1)
}

fn rewrite_image(tag: &str, image: &impl Fn(&str) -> Option<String>) -> String {
    let mut quoted = false;
    // Only a ` src="` outside quotes is the attribute.
    let source = tag.char_indices().find(|&(at, c)| {
        let here = !quoted && tag[at..].starts_with(" src=\"");
        quoted ^= c == '"';
        here
    });
    let Some((start, _)) = source else { return tag.to_owned() };
    let value = start + " src=\"".len();
    let end = tag[value..].find('"').map_or(tag.len(), |end| value + end);
    let id = tag[value..end].trim_start().get(4..).unwrap_or_default().replace("&amp;", "&");
    let before = &tag[..start];
    let after = tag.get(end + 1..).unwrap_or_default();
    match image(&id) {
        Some(address) => {
            format!("{before} src=\"{}\"{after}", address.replace('&', "&amp;").replace('"', "&quot;"))
        }
        None => format!("{before}{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(html: &str, expected: &str) {
        assert_eq!(harmless(html, &|id| (id == "a@b").then(|| "/part/1?x&y".into())), expected, "{html}");
    }

    #[test]
    fn nothing_runs_and_nothing_is_loaded() {
        check("<p onclick=\"x()\">a<script>b</script></p>", "<p>a</p>");
        check("<style>x</style><body background=\"http://e.example/\">a", "a");
        check("<img src=\"https://e.example/t.gif\" alt=\"t\">", "<img alt=\"t\">");
        check("<img src=\"/part/2\"><img src='data:image/png;base64,AA'>", "<img><img>");
        check(
            "<img src=\"cid:a@b\" width=\"1\"><img src=\"CID:c\">",
            "<img src=\"/part/1?x&amp;y\" width=\"1\"><img>",
        );
        check("<img alt=' src=\"cid:a@b\"' src=\"http://e\">", "<img alt=\" src=&quot;cid:a@b&quot;\">");
        check("<p style=\"background:url(http://e)\">a</p><form action=x><input name=y></form>", "<p>a</p>");
        check("<iframe src=x></iframe><svg><image href=http://e /></svg><video src=x poster=y>", "");
    }

    #[test]
    fn links_say_nothing_of_where_they_were() {
        for (href, kept) in
            [("https://e.example/?a", true), ("javascript:x", false), ("cid:a@b", false), ("/x", false)]
        {
            let out = harmless(&format!("<a href=\"{href}\">x</a>"), &|_| None);
            assert!(
                out.contains("rel=\"noopener noreferrer nofollow\"") && out.contains("target=\"_blank\""),
                "{out}"
            );
            assert_eq!(out.contains("href="), kept, "{out}");
        }
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = "<div>".repeat(MAX_TAGS);
        assert!(fits(&deep) && !fits(&format!("{deep}<b>")));
        assert!(harmless(&deep, &|_| None).len() < 2 * 6 * MAX_TAGS);
    }

    proptest! {
        #[test]
        fn no_image_but_ours_is_left(html in "(<img|<a|<p| src=| alt=| href=|\"|'|>|cid:a@b|http://e|&quot;|x| |</p>){0,30}") {
            let out = harmless(&html, &|id| (id == "a@b").then(|| "OURS".into()));
            prop_assert_eq!(Builder::default().attribute_filter(|e, a, v| {
                assert!((e, a) != ("img", "src") || v == "OURS", "{v}");
                Some(v.into())
            }).clean(&out).to_string().is_empty(), out.is_empty());
        }
    }
}
