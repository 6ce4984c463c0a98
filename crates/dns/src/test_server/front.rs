//! What stands between those who ask and the server that knows: it passes questions on, or spoils the answers.

use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Longest answer over UDP that no network cuts up.
const MAX_UDP: usize = 1232;

/// How an answer is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    ServFail,
    /// None at all.
    Silence,
    /// "Too long, ask over TCP", where nobody answers either.
    Truncated,
    /// Its signatures are wrong.
    Forged,
    /// Its signatures, and proofs that there is nothing, are taken out.
    Stripped,
    /// "There is none", without a proof.
    Denied,
}

type Question = (Name, RecordType);

pub(super) struct Front {
    /// Names of zones whose DS records are at the parent.
    cuts: Vec<Name>,
    children: SocketAddr,
    parents: SocketAddr,
    troubles: Mutex<HashMap<Question, Trouble>>,
    asked: Mutex<HashMap<Question, usize>>,
}

impl Front {
    pub(super) fn new(cuts: Vec<Name>, children: SocketAddr, parents: SocketAddr) -> Self {
        Self { cuts, children, parents, troubles: Mutex::default(), asked: Mutex::default() }
    }

    pub(super) fn set(&self, name: &str, kind: &str, trouble: Option<Trouble>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => troubles.insert(question(name, kind), trouble),
            None => troubles.remove(&question(name, kind)),
        };
    }

    pub(super) fn asked(&self, name: &str, kind: &str) -> usize {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(&question(name, kind)).copied().unwrap_or(0)
    }

    pub(super) async fn start(self: Arc<Self>) -> SocketAddr {
        let (tcp, udp) = both_on_one_port().await;
        let address = udp.local_addr().unwrap();
        tokio::spawn(Arc::clone(&self).run_udp(Arc::new(udp)));
        tokio::spawn(self.run_tcp(tcp));
        address
    }

    async fn run_udp(self: Arc<Self>, socket: Arc<UdpSocket>) {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let (front, socket, query) = (Arc::clone(&self), Arc::clone(&socket), buffer[..length].to_vec());
            tokio::spawn(async move {
                let Some(reply) = front.answer(&query, false).await else { return };
                let reply = if reply.len() > MAX_UDP { truncated(&query) } else { reply };
                let _ = socket.send_to(&reply, from).await;
            });
        }
    }

    async fn run_tcp(self: Arc<Self>, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let front = Arc::clone(&self);
            tokio::spawn(async move {
                while let Ok(query) = receive(&mut stream).await {
                    let Some(reply) = front.answer(&query, true).await else { continue };
                    if send(&mut stream, &reply).await.is_err() {
                        break;
                    }
                }
            });
        }
    }

    /// `None`: silence.
    async fn answer(&self, query: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let message = Message::from_vec(query).ok()?;
        let asked = message.queries.first()?;
        let key = (asked.name().to_lowercase(), asked.query_type());
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default() += 1;
        let trouble = self.troubles.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        match trouble {
            Some(Trouble::Silence) => return None,
            Some(Trouble::Truncated) => return (!over_tcp).then(|| truncated(query)),
            Some(Trouble::ServFail) => return Some(plain(query, ResponseCode::ServFail)),
            Some(Trouble::Denied) => return Some(plain(query, ResponseCode::NoError)),
            Some(Trouble::Forged | Trouble::Stripped) | None => {}
        }
        let at_parent = key.1 == RecordType::DS && self.cuts.contains(&key.0);
        let server = if at_parent { self.parents } else { self.children };
        let reply = ask(server, query).await.ok()?;
        let Some(trouble) = trouble else { return Some(reply) };
        let mut reply = Message::from_vec(&reply).ok()?;
        for section in [&mut reply.answers, &mut reply.authorities, &mut reply.additionals] {
            spoil(section, trouble);
        }
        reply.to_vec().ok()
    }
}

fn spoil(section: &mut Vec<Record>, trouble: Trouble) {
    if trouble == Trouble::Stripped {
        section.retain(|record| {
            !matches!(record.record_type(), RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3)
        });
    }
    for record in section {
        if let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &record.data {
            let (input, mut octets) = (signature.input().clone(), signature.sig().to_vec());
            octets.iter_mut().for_each(|octet| *octet ^= 1);
            record.data = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(input, octets)));
        }
    }
}

fn question(name: &str, kind: &str) -> Question {
    let mut name = Name::from_ascii(name).unwrap().to_lowercase();
    name.set_fqdn(true);
    (name, RecordType::from_str(kind).unwrap())
}

/// The question turned into a reply with no records.
fn plain(query: &[u8], code: ResponseCode) -> Vec<u8> {
    let mut message = Message::from_vec(query).unwrap();
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = code;
    message.to_vec().unwrap()
}

fn truncated(query: &[u8]) -> Vec<u8> {
    let mut message = Message::from_vec(query).unwrap();
    message.metadata.message_type = MessageType::Response;
    message.metadata.truncation = true;
    message.to_vec().unwrap()
}

async fn ask(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    send(&mut stream, query).await?;
    receive(&mut stream).await
}

async fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], message].concat()).await
}

async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn both_on_one_port() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}
