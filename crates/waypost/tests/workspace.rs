//! What holds for the workspace as a whole: who may know whom, under which licences our dependencies stand, and
//! that every crate obeys the common lints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers of DESIGN.md, topmost first. A crate may depend on those of layers below its own.
///
/// `xtask` is no room of the program but stands outside it; of the rooms it reads `store` alone.
const LAYERS: [&[&str]; 9] = [
    &["xtask"],
    &["waypost"],
    &["web", "admin"],
    &["intake", "access", "reports"],
    &["queue", "transport", "delivery", "policy", "backup"],
    &["directory", "store"],
    &["net", "dns"],
    &["smtp", "sasl", "imap", "pop3", "managesieve", "sieve", "mailauth", "capture"],
    &["message", "address", "mailfile"],
];

/// Within a layer, what DESIGN.md marks with ▸. (That the queue hands over to `delivery` for mailboxes here is
/// read into its row: it knows what stands to its right.)
const SIDEWAYS: [(&str, &str); 10] = [
    ("web", "admin"),
    ("queue", "transport"),
    ("queue", "delivery"),
    ("directory", "store"),
    ("smtp", "sasl"),
    ("imap", "sasl"),
    ("pop3", "sasl"),
    ("managesieve", "sasl"),
    ("capture", "smtp"),
    ("message", "address"),
];

/// Licences that go with MIT and Apache-2.0.
const LICENCES: [&str; 14] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "CC0-1.0",
    "MPL-2.0",
    "0BSD",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "OpenSSL",
    "Unlicense",
];

#[test]
fn crates_know_only_what_is_below_them() {
    let metadata = metadata();
    for package in own_packages(&metadata) {
        let name = text(package, "name");
        let from = layer(name).unwrap_or_else(|| panic!("{name} is in no layer of DESIGN.md"));
        for dependency in array(package, "dependencies") {
            let other = text(dependency, "name");
            // Tests may look anywhere; other people's crates have no layer.
            if dependency["kind"] == "dev" || dependency["path"].is_null() {
                continue;
            }
            let to = layer(other).unwrap_or_else(|| panic!("{other} is in no layer of DESIGN.md"));
            let sideways = from == to && SIDEWAYS.contains(&(name, other));
            assert!(
                to > from || sideways,
                "{name} must not depend on {other}: see the layers in ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn protocols_and_words_know_no_runtime() {
    let metadata = metadata();
    for package in own_packages(&metadata) {
        let name = text(package, "name");
        if layer(name).is_none_or(|layer| layer < LAYERS.len() - 2) {
            continue;
        }
        for dependency in
            array(package, "dependencies").iter().filter(|dependency| dependency["kind"] != "dev")
        {
            let other = text(dependency, "name");
            let forbidden =
                ["tokio", "tracing", "tracing-subscriber", "socket2", "rustix", "rusqlite", "clap", "toml"];
            assert!(!forbidden.contains(&other), "{name} is sans-IO and must not depend on {other}");
        }
    }
}

#[test]
fn only_store_knows_sql_and_only_net_and_dns_open_sockets() {
    let metadata = metadata();
    for package in own_packages(&metadata) {
        let name = text(package, "name");
        for dependency in
            array(package, "dependencies").iter().filter(|dependency| dependency["kind"] != "dev")
        {
            match text(dependency, "name") {
                "rusqlite" => assert_eq!(name, "store", "SQL stays in store"),
                "socket2" => assert_eq!(name, "net", "sockets stay in net"),
                "hickory-resolver" => assert_eq!(name, "dns", "the resolver stays in dns"),
                _ => {}
            }
        }
    }
}

#[test]
fn licences_of_dependencies_are_compatible() {
    let metadata = metadata();
    let mut wrong = BTreeMap::new();
    for package in array(&metadata, "packages").iter().filter(|package| !package["source"].is_null()) {
        let licence = package["license"].as_str().unwrap_or("(none)");
        if !allowed(licence) {
            wrong.insert(text(package, "name"), licence);
        }
    }
    assert!(wrong.is_empty(), "not compatible with MIT OR Apache-2.0, or not known to be: {wrong:#?}");
}

#[test]
fn licence_expressions_are_understood() {
    for (expression, expected) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("GPL-3.0 OR (MIT AND AGPL-3.0)", false),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", true),
        ("ISC AND (Apache-2.0 OR ISC) AND OpenSSL", true),
        ("AGPL-3.0-only", false),
        ("(none)", false),
        ("MIT OR", false),
        ("", false),
    ] {
        assert_eq!(allowed(expression), expected, "{expression:?}");
    }
}

#[test]
fn every_crate_inherits_the_lints() {
    let root = manifest(&root().join("Cargo.toml"));
    assert_eq!(root["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for package in own_packages(&metadata()) {
        let file = PathBuf::from(text(package, "manifest_path"));
        let own = manifest(&file);
        let inherits =
            own.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(inherits, Some(true), "{} lacks [lints] workspace = true", file.display());
        let licence = own["package"]["license"].get("workspace").and_then(toml::Value::as_bool);
        assert_eq!(licence, Some(true), "{} lacks license.workspace = true", file.display());
    }
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// Whether an SPDX expression can be satisfied with [`LICENCES`] alone. A slash is an old way to write OR.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    alternatives(&mut rest) == Some(true) && rest.is_empty()
}

/// `term *(OR term)`, a term being `factor *(AND factor)`; none when it is not an expression.
fn alternatives(rest: &mut &[&str]) -> Option<bool> {
    let mut any = all_of(rest)?;
    while take(rest, "OR") {
        any |= all_of(rest)?;
    }
    Some(any)
}

fn all_of(rest: &mut &[&str]) -> Option<bool> {
    let mut all = factor(rest)?;
    while take(rest, "AND") {
        all &= factor(rest)?;
    }
    Some(all)
}

fn factor(rest: &mut &[&str]) -> Option<bool> {
    if take(rest, "(") {
        let inner = alternatives(rest)?;
        return take(rest, ")").then_some(inner);
    }
    let (name, after) = rest.split_first()?;
    *rest = after;
    if take(rest, "WITH") {
        // An exception only permits more.
        *rest = rest.split_first()?.1;
    }
    Some(LICENCES.contains(name))
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifest(file: &Path) -> toml::Value {
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What cargo knows, for this platform: the crates of others need not have been downloaded.
fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let rustc = Command::new("rustc").arg("-vV").current_dir(root()).output().unwrap();
    let version = String::from_utf8(rustc.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn own_packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    array(metadata, "packages").iter().filter(|package| package["source"].is_null())
}

fn array<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is not an array"))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is not a string"))
}
