//! Fetching a policy: one GET over verified TLS (RFC 8461 §3.3), with as much HTTP as that needs (RFC 9112).

use super::{StsPolicy, Trouble};
use address::{Domain, Host};
use dns::{Family, Lookup};
use mailauth::report::tls::ResultType;
use net::tls::{TlsClient, TlsPolicy};
use net::{Endpoint, Stream};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// All of it, from the look-up to the last octet (RFC 8461 §3.3 suggests a minute; mail waits meanwhile).
const PATIENCE: Duration = Duration::from_secs(30);
/// Until one address answers.
const CONNECT: Duration = Duration::from_secs(10);
/// Most addresses that are called.
const MAX_ADDRESSES: usize = 4;
/// Longest policy, in octets (RFC 8461 §3.3).
const MAX_POLICY: usize = 64 * 1024;
/// Longest head of an answer, in octets.
const MAX_HEAD: usize = 16 * 1024;

/// The policy that `mta-sts.DOMAIN` serves now.
pub(super) async fn fetch(
    dns: &dyn Lookup,
    tls: &TlsClient,
    domain: &Domain,
    port: u16,
) -> Result<StsPolicy, Trouble> {
    let host = Domain::parse(&format!("mta-sts.{domain}"))
        .map_err(|error| Trouble::new(ResultType::StsPolicyFetchError, error.to_string()))?;
    let fetched = tokio::time::timeout(PATIENCE, get(dns, tls, &host, port)).await;
    let silent = || unfetched(format!("{host} did not answer within {PATIENCE:?}"));
    let text = fetched.map_err(|_| silent())??;
    StsPolicy::parse(&text).map_err(|why| Trouble::new(ResultType::StsPolicyInvalid, why))
}

fn unfetched(why: String) -> Trouble {
    Trouble::new(ResultType::StsPolicyFetchError, why)
}

async fn get(dns: &dyn Lookup, tls: &TlsClient, host: &Domain, port: u16) -> Result<String, Trouble> {
    let mut stream = connect(dns, tls, host, port).await?;
    let broken = |error: std::io::Error| unfetched(format!("the connection to {host} broke: {error}"));
    let request = format!(
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Waypost\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::new();
    let limit = (MAX_HEAD + 2 * MAX_POLICY) as u64;
    loop {
        // Also a server that keeps the connection open has an end.
        if let Some(body) = body(&answer, false).map_err(unfetched)? {
            return Ok(body);
        }
        let read = (&mut stream).take(limit - answer.len() as u64).read_buf(&mut answer).await;
        match read {
            Ok(0) => break,
            Ok(_) => {}
            // Many servers close without the last words of TLS; the length of what came is checked.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(broken(error)),
        }
    }
    let body = body(&answer, true).map_err(unfetched)?;
    body.ok_or_else(|| unfetched(format!("the answer of {host} is cut short")))
}

async fn connect(dns: &dyn Lookup, tls: &TlsClient, host: &Domain, port: u16) -> Result<Stream, Trouble> {
    let addresses = dns.addresses(host, Family::Both).await.map_err(|error| unfetched(error.to_string()))?;
    let mut last = unfetched(format!("{host} has no address"));
    for ip in addresses.into_iter().take(MAX_ADDRESSES) {
        let target = Endpoint::Tcp(SocketAddr::new(ip, port));
        let stream = match net::connect(&target, None, CONNECT).await {
            Ok(stream) => stream,
            Err(error) => {
                last = unfetched(error.to_string());
                continue;
            }
        };
        match stream.connect_tls(tls, &Host::Domain(host.clone()), &TlsPolicy::Verified).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Trouble::new(ResultType::StsWebpkiInvalid, error.to_string()),
        }
    }
    Err(last)
}

/// The text in an answer; `None` while some is missing, with `ended` for ever.
fn body(answer: &[u8], ended: bool) -> Result<Option<String>, String> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if answer.len() > MAX_HEAD {
            Err("the head of the answer is too long".to_owned())
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| "the head of the answer is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    // RFC 8461 §3.3: redirects must not be followed.
    if !status.starts_with("HTTP/1.") || status.split(' ').nth(1) != Some("200") {
        return Err(format!("the answer is {:?}, not 200", status.chars().take(80).collect::<String>()));
    }
    let field = |name: &str| {
        let named = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
        };
        lines.clone().find_map(named)
    };
    let kind = field("content-type").unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("text/plain") {
        return Err(format!("its type is {kind:?}, not text/plain"));
    }
    let rest = &answer[end + 4..];
    let content = if field("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        unchunk(rest)?
    } else if let Some(length) = field("content-length") {
        let length: usize = length.parse().map_err(|_| "its length is no number")?;
        too_long(length)?;
        rest.get(..length).map(<[u8]>::to_vec)
    } else {
        ended.then(|| rest.to_vec())
    };
    let Some(content) = content else { return too_long(rest.len() / 2).map(|()| None) };
    too_long(content.len())?;
    String::from_utf8(content).map(Some).map_err(|_| "the policy is no text".to_owned())
}

fn too_long(length: usize) -> Result<(), String> {
    if length > MAX_POLICY { Err(format!("the policy is longer than {MAX_POLICY} octets")) } else { Ok(()) }
}

/// RFC 9112 §7.1; `None` while some is missing.
fn unchunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut content = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|line| line.split(';').next());
        let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.ok_or("a chunk has no size")?;
        too_long(size)?;
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else { return Ok(None) };
        if size == 0 {
            return Ok(Some(content));
        }
        content.extend_from_slice(chunk);
        too_long(content.len())?;
        let Some(next) = rest.get(end + 4 + size..) else { return Ok(None) };
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_whole_and_cut_short() {
        let plain = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n";
        type Expected = Result<Option<&'static str>, ()>;
        let cases: [(String, bool, Expected); 13] = [
            (format!("{plain}Content-Length: 3\r\n\r\nabc"), false, Ok(Some("abc"))),
            (format!("{plain}Content-Length: 4\r\n\r\nabc"), true, Ok(None)),
            (format!("{plain}\r\nabc"), false, Ok(None)),
            (format!("{plain}\r\nabc"), true, Ok(Some("abc"))),
            (
                format!("{plain}Transfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
                false,
                Ok(Some("abc")),
            ),
            (format!("{plain}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"), true, Ok(None)),
            (format!("{plain}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), true, Err(())),
            (format!("{plain}Content-Length: 65537\r\n\r\n"), false, Err(())),
            (format!("{plain}\r\n{}", "x".repeat(MAX_POLICY + 1)), true, Err(())),
            ("HTTP/1.1 302 Found\r\nLocation: https://else.example/\r\n\r\n".to_owned(), true, Err(())),
            ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nabc".to_owned(), true, Err(())),
            ("HTTP/1.1 200 OK\r\n".to_owned(), false, Ok(None)),
            ("x".repeat(MAX_HEAD + 1), false, Err(())),
        ];
        for (answer, ended, expected) in cases {
            let found = body(answer.as_bytes(), ended);
            let label: String = answer.chars().take(200).collect();
            assert_eq!(
                found.as_ref().map(|text| text.as_deref()).map_err(|_| ()),
                expected,
                "{label}: {found:?}"
            );
        }
    }
}
