# Every command we use. `make test` is what CI runs; the others are parts of it or for a developer's hands.
.PHONY: test check docs crash fuzz soak demo release clean

ROUNDS ?= 200

# Installs what the tests need, runs them all, ends with "N passed, N failed".
test:
	@tests/install
	@PYTHONDONTWRITEBYTECODE=1 .venv/bin/python tests/run.py

# Format, lints and the rules of deny.toml (when cargo-deny is there).
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@tests/deny

# Rewrites docs/compatibility.md and docs/configuration.md from their tables.
docs:
	WRITE_DOCS=1 cargo test --quiet --test aws --test configuration page_is_in_step

# kill -9 under load, as often as ROUNDS says; SEED chooses the moments.
crash:
	ROUNDS=$(ROUNDS) cargo test --release --test it crash:: -- --nocapture

# Every fuzz target for SECONDS each; says so where cargo-fuzz or a nightly toolchain is missing.
SECONDS ?= 60
fuzz:
	@fuzz/run $(SECONDS)

# Mixed load and changes of the configuration for MINUTES: memory and descriptors stay flat, nothing breaks.
MINUTES ?= 10
soak:
	MINUTES=$(MINUTES) cargo test --release --test it soak:: -- --nocapture

demo:
	cargo run --release -- demo

release:
	cargo build --release

clean:
	cargo clean
	rm -rf .venv
