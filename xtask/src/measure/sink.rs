//! A next server of our own, where the moment of an arrival matters, or slowness is wanted.

use crate::wire::{Wire, unstuffed};
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

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
