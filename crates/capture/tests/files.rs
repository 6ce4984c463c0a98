//! Every kind of file and link type gives the same dialogue.

#[allow(unreachable_pub, reason = "a module that several tests share")]
mod support;

use capture::{Decoder, FileError, Settings};
use support::*;

/// The file is one of [`TRANSACTION`].
fn check(name: &str, file: &[u8]) {
    let told = decode(Settings::default(), file);
    assert_eq!(text(told.only()), TOLD, "{name}");
    assert_eq!(told.messages[&(1, 1)], MESSAGE, "{name}");
}

#[test]
fn pcap_of_either_order_and_resolution() {
    let packets = captured(&conversation(TRANSACTION).frames, ETHERNET);
    for order in [Order::Big, Order::Little] {
        for unit in [1, 1000] {
            let file = pcap(order, unit, 1, &packets);
            check(&format!("{order:?} {unit}"), &file);
            let told = decode(Settings::default(), &file);
            assert_eq!(told.only().began.0, BEGAN);
            assert_eq!(told.only().entries[0].time.0, BEGAN + 3_000_000, "the fourth packet");
        }
    }
}

#[test]
fn every_link_type() {
    let four = conversation(TRANSACTION);
    let six = script(TRANSACTION)
        .into_iter()
        .fold(Conversation::new("[2001:db8::1]:40000", "[2001:db8::25]:25"), |talk, (side, octets)| {
            talk.says(side, &octets)
        })
        .close();
    for (name, link) in [
        ("Ethernet", ETHERNET),
        ("VLAN", VLAN),
        ("two VLANs", TWO_VLANS),
        ("null", NULL),
        ("loop", LOOP),
        ("raw", RAW),
        ("cooked", COOKED),
        ("cooked 2", COOKED_2),
    ] {
        for (family, talk) in [("IPv4", &four), ("IPv6", &six)] {
            check(
                &format!("{name} {family}"),
                &pcap(Order::Little, 1000, link.0, &captured(&talk.frames, link)),
            );
        }
    }
    let extended: Vec<Captured> =
        six.frames.iter().map(|frame| Captured { time: frame.time, data: frame.with_extensions() }).collect();
    check("extension headers", &pcap(Order::Big, 1, RAW.0, &extended));
    for (family, talk) in [("IPv4", &four), ("IPv6", &six)] {
        let fragments: Vec<Captured> = talk
            .frames
            .iter()
            .flat_map(|frame| {
                let [first, second] = frame.fragments();
                // The last first: order does not matter.
                [second, first].map(|data| Captured { time: frame.time, data })
            })
            .collect();
        check(&format!("fragments {family}"), &pcap(Order::Big, 1, RAW.0, &fragments));
    }
}

#[test]
fn pcapng_with_its_blocks() {
    let frames = conversation(TRANSACTION).frames;
    for order in [Order::Big, Order::Little] {
        // Two interfaces of different kinds and resolutions, a block of no interest, then another section.
        let mut file = section_header(order);
        file.extend(interface(order, RAW.0, None));
        file.extend(block(order, 5, &[0; 21]));
        file.extend(interface(order, COOKED_2.0, Some(9)));
        let (first, second) = frames.split_at(8);
        for (number, frame) in first.iter().enumerate() {
            file.extend(match number % 2 {
                0 => enhanced(order, 0, 1000, &captured(std::slice::from_ref(frame), RAW)[0]),
                _ => enhanced(order, 1, 1, &captured(std::slice::from_ref(frame), COOKED_2)[0]),
            });
        }
        let order = if order == Order::Big { Order::Little } else { Order::Big };
        file.extend(section_header(order));
        // 2^-30 seconds.
        file.extend(interface(order, ETHERNET.0, Some(0x80 | 30)));
        for packet in captured(second, ETHERNET) {
            let units = (u128::from(packet.time) << 30) / 1_000_000_000;
            file.extend(enhanced(order, 0, 1, &Captured { time: units as u64, ..packet }));
        }
        check(&format!("{order:?}"), &file);
    }
    let mut file = section_header(Order::Little);
    file.extend(interface(Order::Little, ETHERNET.0, None));
    file.extend(captured(&frames, ETHERNET).iter().flat_map(|packet| simple(Order::Little, packet)));
    check("simple packets", &file);
}

#[test]
fn a_file_that_is_none_or_damaged_says_where() {
    for (file, expected) in [
        (&b"#!/bin/sh\n"[..], FileError::NotACapture(*b"#!/b")),
        (
            &[section_header(Order::Big), vec![0, 0, 0, 6, 0, 0, 0, 7]].concat(),
            FileError::Damaged { at: 28, what: "the length of a block cannot be" },
        ),
        (
            &[&pcap(Order::Big, 1, 1, &[])[..], &[0xff; 16]].concat(),
            FileError::Damaged { at: 24, what: "a packet longer than any capture has" },
        ),
    ] {
        assert_eq!(Decoder::new(Settings::default()).push(file), Err(expected));
    }
}

#[test]
fn what_is_not_read_is_counted() {
    let packets = captured(&conversation(TRANSACTION).frames, ETHERNET);
    let mut decoder = Decoder::new(Settings::default());
    let file = pcap(Order::Little, 1000, 147, &packets);
    decoder.push(&file[..file.len() - 3]).unwrap();
    decoder.finish();
    let summary = decoder.summary();
    assert_eq!(summary.packets, packets.len() as u64 - 1);
    assert_eq!(summary.unknown_links.values().sum::<u64>(), summary.packets);
    assert_eq!(summary.unfinished, 16 + packets.last().unwrap().data.len() - 3);
    assert!(decoder.poll_event().is_none());
}

#[test]
fn packets_cut_off_by_the_snapshot_length_leave_gaps() {
    let frames = conversation(TRANSACTION).frames;
    let beyond = |frame: &Frame| frame.payload.len().saturating_sub(60) as u64;
    let expected: u64 = frames.iter().filter(|frame| !frame.is_from_server()).map(beyond).sum();
    let mut packets = captured(&frames, ETHERNET);
    for packet in &mut packets {
        packet.data.truncate(14 + 20 + 20 + 60);
    }
    let told = decode(Settings::default(), &pcap(Order::Little, 1000, 1, &packets));
    let text = text(told.only());
    assert!(
        text.contains("C: EHLO client.example\n") && text.contains("octets of the client's missing"),
        "{text}"
    );
    assert_eq!(told.only().missing[0], expected);
}

#[test]
fn a_missing_fragment_is_counted() {
    let frames = conversation(TRANSACTION).frames;
    let mut packets = captured(&frames, RAW);
    packets[6].data = frames[6].fragments()[0].clone();
    let mut decoder = Decoder::new(Settings::default());
    decoder.push(&pcap(Order::Little, 1000, RAW.0, &packets)).unwrap();
    decoder.finish();
    assert_eq!(decoder.summary().incomplete_datagrams, 1);
}
