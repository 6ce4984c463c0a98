//! What an idle connection holds, in octets of the heap: its task, and what that has there.
//!
//! `IDLE_HEAP=FILE cargo test -p intake --test idle` writes who asked for them, for DHAT's viewer.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]
#![allow(dead_code, reason = "dialogues.rs uses the rest of what both share")]

mod support;

use intake::{Intake, Listener, Role};
use net::{Endpoint, Limits, ServeOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::world::{Setup, World};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Fewer than one address may have, and enough that tables which grow are shared out.
const CONNECTIONS: usize = 40;
/// What is there after the first ones came is not a connection's.
const FIRST: usize = 8;
/// An allocator rounds up, by a tenth or so; the kernel's part comes on top.
const MOST: usize = 4 * 1024;
/// Of a stranger, whose mail will be looked at: what that needs until MAIL comes.
const MOST_FOR_VISIT: usize = 512;
/// Looks in a row at which nothing has changed: then nothing is being done.
const LOOKS: usize = 20;
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_idle_connection_holds_little() {
    let file = std::env::var_os("IDLE_HEAP");
    let profiler = match &file {
        Some(file) => dhat::Profiler::builder().file_name(file),
        None => dhat::Profiler::builder().testing(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = runtime.block_on(World::new(Setup::new()));
    let task = runtime.block_on(async { world.task_size() });
    let [place, proxied] =
        runtime.block_on(async { [false, true].map(|proxy| listen(&world.intake, proxy)) });
    // From here on only what is allocated counts by whom.
    let _profiler = profiler.build();
    let mut clients: Vec<TcpStream> = Vec::with_capacity(2 * CONNECTIONS);
    let (octets, blocks) = each(&mut clients, |_| idle(place, ""));
    println!(
        "an idle connection holds {octets} octets in {blocks} blocks; {task} of them are its session's task"
    );
    assert!(octets <= MOST, "{octets} octets");
    assert!(task < octets, "{task} of {octets} octets");
    let stranger = |number| idle(proxied, &format!("PROXY TCP4 192.0.2.{number} 127.0.0.1 40000 25\r\n"));
    let (strangers, blocks) = each(&mut clients, stranger);
    println!("a stranger's holds {strangers} octets in {blocks} blocks");
    assert!(strangers <= octets + MOST_FOR_VISIT, "{strangers} octets");
}

/// Octets and blocks that each of so many more connections holds.
fn each(clients: &mut Vec<TcpStream>, open: impl Fn(usize) -> TcpStream) -> (usize, usize) {
    clients.extend((0..FIRST).map(&open));
    let (octets, blocks) = at_rest();
    clients.extend((FIRST..CONNECTIONS).map(&open));
    let (octets_now, blocks_now) = at_rest();
    let share = |now: usize, before: usize| now.saturating_sub(before) / (CONNECTIONS - FIRST);
    (share(octets_now, octets), share(blocks_now, blocks))
}

/// Serves connections in the clear until the runtime ends, of clients that are here or come by the PROXY protocol.
fn listen(intake: &Arc<Intake>, proxy: bool) -> SocketAddr {
    let socket = net::Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
    let Endpoint::Tcp(place) = *socket.local() else { panic!("no port") };
    let options = ServeOptions::new(Limits::default(), intake.shutdown.clone());
    let options = if proxy { options.proxy_from(vec!["127.0.0.0/8".parse().unwrap()]) } else { options };
    let (intake, rules) = (Arc::clone(intake), Arc::new(Listener::new(Role::Relay)));
    tokio::spawn(net::serve(socket, options, move |connection| {
        Arc::clone(&intake).serve(Arc::clone(&rules), connection)
    }));
    place
}

/// A client that has said EHLO, after that header.
fn idle(place: SocketAddr, header: &str) -> TcpStream {
    let mut stream = TcpStream::connect(place).unwrap();
    stream.write_all(header.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut reply = || {
        let mut line = String::new();
        while line.as_bytes().get(3) != Some(&b' ') {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the server hung up");
        }
        line
    };
    assert!(reply().starts_with("220"));
    stream.write_all(b"EHLO client.example\r\n").unwrap();
    assert!(reply().starts_with("250"));
    stream
}

/// Octets and blocks on the heap when nothing more is being done.
fn at_rest() -> (usize, usize) {
    let look = || {
        let stats = dhat::HeapStats::get();
        (stats.curr_bytes, stats.curr_blocks)
    };
    let (mut seen, mut times, began) = (look(), 0, Instant::now());
    while times < LOOKS {
        assert!(began.elapsed() < PATIENCE, "the server is never at rest");
        std::thread::sleep(LOOK);
        let now = look();
        times = if now == seen { times + 1 } else { 0 };
        seen = now;
    }
    seen
}
