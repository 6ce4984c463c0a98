//! Clients that nobody knows, as a proxy tells of them: look-ups run beside their dialogue, and must end with it.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use xtask::installation::Installation;

/// Where they come in, on the installation's own address.
pub(crate) const PORT: u16 = 2528;
/// How late the name server answers: some stages are over before.
const LATE: Duration = Duration::from_millis(300);
/// What a name contains that it never answers for.
pub(crate) const NEVER: &str = "never";
/// A domain of nobody's, which it answers for.
pub(crate) const LATER: &str = "later";
/// Clients are of this network, which is set aside for measurements.
const NETWORK: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);

/// What a proxy says of one, each of another address: limits are per address.
pub(crate) fn introduction() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let address = Ipv4Addr::from(u32::from(NETWORK) + COUNT.fetch_add(1, Ordering::Relaxed));
    format!("PROXY TCP4 {address} 127.0.0.1 40000 25\r\n")
}

/// An entry of the list `smtp`, for [`PORT`].
pub(crate) fn listener(installation: &Installation) -> String {
    format!(", {{ address = \"{}\", proxy-from = [\"127.0.0.0/8\"] }}", installation.place(PORT))
}

/// The table of a name server that knows of nothing and is slow to say so, or never says it.
pub(crate) fn dns() -> String {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let place: SocketAddr = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let Some(answer) = unknown(&query[..length]) else { continue };
            let socket = Arc::clone(&socket);
            std::thread::spawn(move || {
                std::thread::sleep(LATE);
                let _ = socket.send_to(&answer, from);
            });
        }
    });
    format!("[dns]\nservers = [\"{place}\"]\n")
}

/// RFC 1035 §4.1: the header, with "no such name", and the question. `None`: no answer.
fn unknown(query: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const TYPE_AND_CLASS: usize = 4;
    let name = HEADER + query[HEADER..].iter().position(|octet| *octet == 0)?;
    let never = query[HEADER..name].windows(NEVER.len()).any(|octets| octets == NEVER.as_bytes());
    let counts = [0, 1, 0, 0, 0, 0, 0, 0];
    let answer = [&query[..2], &[0x81, 0x83], &counts, &query[HEADER..=name + TYPE_AND_CLASS]].concat();
    (!never).then_some(answer)
}
