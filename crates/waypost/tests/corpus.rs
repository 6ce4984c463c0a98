//! The fuzz targets' seeds and finds, replayed without a fuzzer: `fuzz/corpus/TARGET/*`.

#![allow(unreachable_pub, reason = "the targets are a library's modules in fuzz/")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use std::path::Path;

#[path = "../../../fuzz/src/targets/mod.rs"]
mod targets;

#[test]
fn every_seed_and_find_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, run) in targets::TARGETS {
        let mut files: Vec<_> =
            std::fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 3, "{name} has only {} seeds", files.len());
        for file in files {
            // Shown when the target panics.
            println!("{}", file.display());
            run(&std::fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_target_is_built_and_listed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let mut files: Vec<String> = std::fs::read_dir(fuzz.join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, targets::TARGETS.map(|(name, _)| name));
    for (name, _) in targets::TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
    }
}
