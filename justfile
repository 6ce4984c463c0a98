# The daily chores. Each is one line that works without just too.

# What is there to do
default:
    @just --list

# Does it compile?
check:
    cargo check --workspace --all-targets

# The README's test command
test:
    cargo test --workspace

# Format and lints, as .ci/run wants them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Write anew what is generated from the code or recorded: docs/configuration.md and the expected texts
bless:
    UPDATE_EXPECT=1 cargo test --workspace

# Other people's mail programs against `waypost serve`; NAMES picks some: just peers test_swaks
peers *NAMES:
    cargo build -p waypost
    tests/peers/run {{NAMES}}

# Fuzz one target (`cargo install cargo-fuzz`; stable rustc will do): just fuzz smtp_server -- -max_total_time=60
fuzz TARGET *WORDS:
    mkdir -p fuzz/target/corpus/{{TARGET}}
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz {{TARGET}} fuzz/target/corpus/{{TARGET}} fuzz/corpus/{{TARGET}} {{WORDS}}

# Kill `serve` again and again, and hold it to every 250: just crash --rounds 1000
crash *WORDS:
    cargo xtask crash {{WORDS}}

# Days of retries from seeds: just simulate --seeds 5000
simulate *WORDS:
    cargo xtask simulate {{WORDS}}

# Many IMAP clients on shared folders, thousands of steps: CASES lists of at most STEPS each
consistency CASES="200" STEPS="100":
    PROPTEST_CASES={{CASES}} IMAP_CONSISTENCY_STEPS={{STEPS}} cargo test --release -p access --test imap_consistency

# How fast the hot parsers are
parsers:
    cargo bench -p smtp -p message -p imap

# Find out a figure of speed or scale (docs/performance.md): just measure idle
measure *WORDS:
    cargo xtask measure {{WORDS}}

# Build the disk that a power cut would have left, and hold `serve` to every 250: just power-cut --points 1000
power-cut *WORDS:
    cargo xtask power-cut {{WORDS}}

# All of it, as before a landing
ci:
    .ci/run

# A mail system on loopback
dev *WORDS:
    cargo run --release -- dev {{WORDS}}

# Load against a running `just dev`
bench *WORDS:
    cargo run --release -- bench --server 127.0.0.1:1025 --keep {{WORDS}}
