//! Reading an answer (RFC 9112), as far as it has come.

/// Longest head of an answer, in octets.
pub const MAX_HEAD: usize = 16 * 1024;
/// Most heads that say "wait" (RFC 9110 §15.2).
const MAX_INTERIM: usize = 8;
/// How much of a status line errors repeat.
const SHOWN: usize = 80;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The status line, cut after 80 characters.
    pub line: String,
    /// Without its parameters, in lower case; empty when there is none.
    pub media_type: String,
    /// Of status 200, where it was asked for.
    pub content: Vec<u8>,
}

impl Answer {
    /// RFC 9110 §15.3.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer in these octets, with a content of at most `max` if one is wanted; `None` while some is missing, with `ended`
    /// for ever. What comes out does not depend on how many octets come at a time.
    ///
    /// # Errors
    /// In words: it is no answer, or one that is too long.
    pub fn read(octets: &[u8], ended: bool, max: Option<usize>) -> Result<Option<Self>, String> {
        let mut rest = octets;
        for _ in 0..MAX_INTERIM {
            let Some(head) = Head::read(rest)? else { return Ok(None) };
            rest = &rest[head.length..];
            if (100..200).contains(&head.status) {
                continue;
            }
            let content = match max {
                Some(max) if head.status == 200 => head.content(rest, ended, max)?,
                _ => Some(Vec::new()),
            };
            return Ok(content.map(|content| head.answer(content)));
        }
        Err("the server only ever says that one is to wait".to_owned())
    }
}

struct Head<'a> {
    status: u16,
    line: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    /// With its empty line.
    length: usize,
}

impl<'a> Head<'a> {
    /// `None` while some is missing.
    fn read(octets: &'a [u8]) -> Result<Option<Self>, String> {
        let start = &octets[..octets.len().min(MAX_HEAD)];
        let Some(end) = start.windows(4).position(|four| four == b"\r\n\r\n") else {
            return match octets.len() > MAX_HEAD {
                true => Err("the head of the answer is too long".to_owned()),
                false => Ok(None),
            };
        };
        let head = std::str::from_utf8(&octets[..end]).map_err(|_| "the head of the answer is no text")?;
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default();
        let status = line.starts_with("HTTP/1.").then(|| three_digits(line.split(' ').nth(1)?)).flatten();
        let status = status.ok_or_else(|| format!("the answer is no HTTP: {:?}", start_of(line)))?;
        let fields = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()));
        Ok(Some(Self { status, line, fields: fields.collect(), length: end + 4 }))
    }

    fn field(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(*value)
    }

    /// RFC 9112 §6.3; `None` while some is missing.
    fn content(&self, rest: &[u8], ended: bool, max: usize) -> Result<Option<Vec<u8>>, String> {
        let coding = self.field("transfer-encoding").unwrap_or_default();
        if coding.to_ascii_lowercase().contains("chunked") {
            return unchunk(rest, max);
        }
        let content = if let Some(length) = self.field("content-length") {
            let is_number = length.bytes().all(|octet| octet.is_ascii_digit());
            let length = is_number.then(|| length.parse().ok()).flatten();
            let length: usize = length.ok_or("the length of the content is no number")?;
            too_long(length, max)?;
            rest.get(..length).map(<[u8]>::to_vec)
        } else {
            ended.then(|| rest.to_vec())
        };
        too_long(content.as_ref().map_or(rest.len(), Vec::len), max)?;
        Ok(content)
    }

    fn answer(&self, content: Vec<u8>) -> Answer {
        let kind = self.field("content-type").and_then(|kind| kind.split(';').next());
        Answer {
            status: self.status,
            line: start_of(self.line),
            media_type: kind.unwrap_or_default().trim().to_ascii_lowercase(),
            content,
        }
    }
}

fn start_of(line: &str) -> String {
    line.chars().take(SHOWN).collect()
}

fn too_long(length: usize, max: usize) -> Result<(), String> {
    if length > max { Err(format!("the content is longer than {max} octets")) } else { Ok(()) }
}

/// RFC 9110 §15.
fn three_digits(text: &str) -> Option<u16> {
    let is_status = text.len() == 3 && text.bytes().all(|octet| octet.is_ascii_digit());
    is_status.then(|| text.parse().ok()).flatten()
}

/// RFC 9112 §7.1; `None` while some is missing. Chunks may take twice as much as what may be in them.
fn unchunk(octets: &[u8], max: usize) -> Result<Option<Vec<u8>>, String> {
    let (mut content, mut at) = (Vec::new(), 0);
    loop {
        let Some(chunk) = Chunk::read(&octets[at..], max)? else {
            too_long(octets.len() / 2, max)?;
            return Ok(None);
        };
        at += chunk.length;
        too_long(at / 2, max)?;
        if chunk.data.is_empty() {
            return Ok(Some(content));
        }
        content.extend_from_slice(chunk.data);
        too_long(content.len(), max)?;
    }
}

struct Chunk<'a> {
    data: &'a [u8],
    /// With its size and its line end.
    length: usize,
}

impl<'a> Chunk<'a> {
    fn read(octets: &'a [u8], max: usize) -> Result<Option<Self>, String> {
        let Some(end) = octets.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let size =
            std::str::from_utf8(&octets[..end]).ok().and_then(|line| line.split(';').next()).map(str::trim);
        let size = size.filter(|size| size.bytes().all(|octet| octet.is_ascii_hexdigit()));
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).ok_or("a chunk has no size")?;
        too_long(size, max)?;
        let start = end + 2;
        // Of the last chunk nothing more is awaited: what may follow it are fields that nobody reads.
        let length = if size == 0 { start } else { start + size + 2 };
        let data = octets.get(start..start + size).filter(|_| octets.len() >= length);
        Ok(data.map(|data| Self { data, length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1000;

    /// `Ok(None)`: some is missing.
    fn check(answer: &str, ended: bool, expected: Result<Option<(u16, &str, &str)>, ()>) {
        let found = Answer::read(answer.as_bytes(), ended, Some(MAX));
        let content = |answer: &Answer| String::from_utf8(answer.content.clone()).unwrap();
        let told =
            found.as_ref().map(|found| found.as_ref().map(|a| (a.status, a.media_type.clone(), content(a))));
        let expected =
            expected.map(|some| some.map(|(status, kind, text)| (status, kind.into(), text.into())));
        let label: String = answer.chars().take(200).collect();
        assert_eq!(told.map_err(|_| ()), expected, "{label}: {found:?}");
    }

    #[test]
    fn answers_whole_and_cut_short() {
        let plain = "HTTP/1.1 200 OK\r\nContent-Type: Text/plain; charset=utf-8\r\n";
        let text = |content| Ok(Some((200, "text/plain", content)));
        check(&format!("{plain}Content-Length: 3\r\n\r\nabc"), false, text("abc"));
        check(&format!("{plain}Content-Length: 4\r\n\r\nabc"), true, Ok(None));
        check(&format!("{plain}\r\nabc"), false, Ok(None));
        check(&format!("{plain}\r\nabc"), true, text("abc"));
        let chunked = format!("{plain}Transfer-Encoding: chunked\r\n\r\n");
        check(&format!("{chunked}2;x\r\nab\r\n1\r\nc\r\n0\r\n\r\n"), false, text("abc"));
        check(&format!("{chunked}2\r\nab\r\n"), true, Ok(None));
        check(&format!("{chunked}zz\r\n"), true, Err(()));
        check(&format!("{plain}Content-Length: {}\r\n\r\n", MAX + 1), false, Err(()));
        check(&format!("{plain}\r\n{}", "x".repeat(MAX + 1)), true, Err(()));
        check(&format!("{plain}\r\n{}", "x".repeat(2 * MAX + 2)), false, Err(()));
        check("HTTP/1.1 200 OK\r\n", false, Ok(None));
        check(&"x".repeat(MAX_HEAD + 1), false, Err(()));
        check(&format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(MAX_HEAD)), true, Err(()));
        check(&format!("{chunked}{}", "1\r\nx\r\n".repeat(MAX / 2)), false, Err(()));
        check(&format!("{plain}Content-Length: +3\r\n\r\nabc"), true, Err(()));
        check("HTTP/1.1 +20 OK\r\n\r\n", true, Err(()));
        check("220 mx.example ESMTP\r\n\r\n", true, Err(()));
    }

    /// Whatever stands behind it, a status that is not 200 is the answer.
    #[test]
    fn other_statuses_have_no_content() {
        let redirect = "HTTP/1.1 302 Found\r\nLocation: https://else.example/\r\nContent-Length: 9\r\n\r\n";
        check(redirect, false, Ok(Some((302, "", ""))));
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 \r\n\r\n", false, Ok(Some((503, "", ""))));
        check("HTTP/1.1 100 Continue\r\n\r\n", true, Ok(None));
        check(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM), false, Err(()));
        let post = Answer::read(b"HTTP/1.1 201 Created\r\n\r\n", false, None).unwrap().unwrap();
        assert!(post.is_success() && post.line == "HTTP/1.1 201 Created", "{post:?}");
    }
}
