//! A name server on loopback, over UDP.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

const IN: u16 = 1;

/// Serves lines of `NAME TYPE DATA`: MX (preference and name, `.` for the root), A, AAAA and TXT. A name with the type `FAIL`
/// gets SERVFAIL; what has no line does not exist. Gives the address and port.
pub(crate) fn name_server(lines: &[&str]) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = socket.local_addr().unwrap().to_string();
    let records: Vec<(String, String, String)> = lines.iter().map(|line| record(line)).collect();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            socket.send_to(&answer(&records, &query[..length]), from).unwrap();
        }
    });
    place
}

fn record(line: &str) -> (String, String, String) {
    let (name, rest) = line.split_once(' ').unwrap();
    let (kind, data) = rest.split_once(' ').unwrap_or((rest, ""));
    (name.to_owned(), kind.to_owned(), data.to_owned())
}

/// RFC 1035 §4.1: header, question, and answers whose name points at the question's.
fn answer(records: &[(String, String, String)], query: &[u8]) -> Vec<u8> {
    let question = &query[12..];
    let end = question.iter().position(|&octet| octet == 0).unwrap();
    let name = labels(&question[..end]);
    let kind = u16::from_be_bytes([question[end + 1], question[end + 2]]);
    let of_name: Vec<_> = records.iter().filter(|(owner, ..)| *owner == name).collect();
    let code = match () {
        () if of_name.iter().any(|(_, kind, _)| kind == "FAIL") => 2,
        () if of_name.is_empty() => 3,
        () => 0,
    };
    let found: Vec<_> = of_name.iter().filter(|(_, of, _)| number(of) == kind).collect();
    let mut answer = query[..2].to_vec();
    answer.extend_from_slice(&[0x85, 0x80 | code, 0, 1, 0, found.len() as u8, 0, 0, 0, 0]);
    answer.extend_from_slice(&question[..end + 5]);
    for (_, kind, data) in found {
        let data = wire(kind, data);
        answer.extend_from_slice(&[0xc0, 12]);
        for field in [number(kind), IN, 0, 60, u16::try_from(data.len()).unwrap()] {
            answer.extend_from_slice(&field.to_be_bytes());
        }
        answer.extend_from_slice(&data);
    }
    answer
}

fn labels(mut octets: &[u8]) -> String {
    let mut labels = Vec::new();
    while let Some((length, rest)) = octets.split_first() {
        let (label, rest) = rest.split_at(usize::from(*length));
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        octets = rest;
    }
    labels.join(".")
}

fn number(kind: &str) -> u16 {
    match kind {
        "A" => 1,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        _ => 0,
    }
}

fn wire(kind: &str, data: &str) -> Vec<u8> {
    match kind {
        "A" => data.parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        "AAAA" => data.parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        "TXT" => data.as_bytes().chunks(255).flat_map(|part| [&[part.len() as u8], part].concat()).collect(),
        "MX" => {
            let (preference, exchange) = data.split_once(' ').unwrap();
            let mut wire = preference.parse::<u16>().unwrap().to_be_bytes().to_vec();
            for label in exchange.split('.').filter(|label| !label.is_empty()) {
                wire.push(label.len() as u8);
                wire.extend_from_slice(label.as_bytes());
            }
            wire.push(0);
            wire
        }
        _ => panic!("no such type: {kind}"),
    }
}
