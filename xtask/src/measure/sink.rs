//! A next server of our own, where the moment of an arrival matters, or slowness or silence is wanted.

use crate::Error;
use crate::wire::{Wire, unstuffed};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Who gets no answer for so long on loopback gets none.
const SILENCE: Duration = Duration::from_millis(500);
/// Connections that a listener takes which was told to let none wait: Linux lets one.
const MAX_WAITING: usize = 8;

/// Listens until the process ends; each answer waits for `pause`. Gives the moments at which messages were whole.
pub(super) fn start(place: SocketAddrV4, pause: Duration) -> io::Result<Receiver<Instant>> {
    let listener = TcpListener::bind(SocketAddr::V4(place))?;
    let (arrivals, moments) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let arrivals = arrivals.clone();
            std::thread::spawn(move || {
                // How a connection ends is the client's affair.
                let _ = Wire::over(stream).and_then(|wire| serve(wire, pause, &arrivals));
            });
        }
    });
    Ok(moments)
}

fn serve(mut wire: Wire, pause: Duration, arrivals: &Sender<Instant>) -> io::Result<()> {
    let say = |wire: &mut Wire, text: &str| {
        std::thread::sleep(pause);
        wire.send(format!("{text}\r\n").as_bytes())
    };
    say(&mut wire, "220 sink.test ESMTP")?;
    loop {
        let line = wire.line()?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_slice() {
            b"" | b"QUIT" => return say(&mut wire, "221 2.0.0 bye"),
            b"DATA" => {
                say(&mut wire, "354 go on")?;
                unstuffed(&mut wire)?;
                // Nobody may want to know.
                let _ = arrivals.send(Instant::now());
                say(&mut wire, "250 2.0.0 taken")?;
            }
            _ => say(&mut wire, "250 2.0.0 ok")?,
        }
    }
}

/// A place that is not there: who connects hears nothing, neither yes nor no, as behind a firewall that drops packets. It listens,
/// accepts nobody, and as many as may wait for that do; the kernel then answers no other SYN.
#[derive(Debug)]
pub(super) struct BlackHole {
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    pub(super) fn open(place: SocketAddrV4) -> Result<Self, Error> {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None).map_err(io::Error::from)?;
        bind(&listener, &place).map_err(io::Error::from)?;
        listen(&listener, 0).map_err(io::Error::from)?;
        let mut waiting = Vec::new();
        while waiting.len() < MAX_WAITING {
            match TcpStream::connect_timeout(&SocketAddr::V4(place), SILENCE) {
                Ok(stream) => waiting.push(stream),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Ok(Self { _listener: listener, _waiting: waiting });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Stuck(format!("{place} answers all who connect, though nobody accepts them")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_black_hole_answers_nobody() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free);
        let connect = || TcpStream::connect_timeout(&SocketAddr::V4(place), SILENCE).unwrap_err().kind();
        let hole = BlackHole::open(place).unwrap();
        assert_eq!(connect(), io::ErrorKind::TimedOut);
        drop(hole);
        assert_eq!(connect(), io::ErrorKind::ConnectionRefused);
    }
}
