# Every command we use. `make test` is what CI runs; the others are parts of it or for a developer's hands.
.PHONY: console-tests console-pictures test check loom cargo-mutants power-cuts suspended sim mutants docs crash fuzz soak bench console demo release clean

ROUNDS ?= 1000
STATES ?= 10000

# Installs what the tests need, runs them all, ends with "N passed, N failed".
test:
	@tests/install
	@PYTHONDONTWRITEBYTECODE=1 .venv/bin/python tests/run.py

# Format, lints and the rules of deny.toml (when cargo-deny is there).
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@tests/deny

# The limiter's lock-free words in every interleaving (crates/limiter/src/models.rs); built apart from everything else.
loom:
	RUSTFLAGS="$$RUSTFLAGS --cfg loom" CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo test --package tollgate-limiter --lib \
		--target-dir "$${CARGO_TARGET_DIR:-target}/loom" models::

# Changes the limiter in every way cargo-mutants knows: each change must fail a test. Takes an hour; SHARD=0/4 is a part.
SHARD ?= 0/1
cargo-mutants:
	PROPTEST_CASES=24 PROPTEST_MAX_SHRINK_ITERS=0 cargo mutants --package tollgate-limiter --shard $(SHARD) --output target

# Rewrites docs/compatibility.md and docs/configuration.md from their tables.
docs:
	WRITE_DOCS=1 cargo test --quiet --test aws --test configuration page_is_in_step
	WRITE_DOCS=1 cargo test --quiet --lib published_schema

# kill -9 under load, while starting and while stopping, as often as ROUNDS says; SEED chooses the moments.
crash:
	ROUNDS=$(ROUNDS) cargo test --release --test it crash:: -- --nocapture

# The states that power cuts may leave behind, rebuilt from what the real process wrote: as many as STATES says.
power-cuts:
	STATES=$(STATES) cargo test --release --test it power_cut:: -- --nocapture

# A process that is stopped under load three times, for SUSPENDED_S seconds each.
suspended:
	SUSPENDED_S=$(or $(SUSPENDED_S),120) cargo test --release --test it suspended:: -- --nocapture

# Tollgate beside nginx, haproxy and Envoy: JOBS and PEERS choose (names with commas between; PEERS=none), RESULTS is
# the Markdown file for the tables. Takes about 15 minutes; docs/benchmarks.md says what it does.
bench: ROUNDS = 7
bench: SECONDS = 2
bench:
	@bench/install
	cargo build --release
	@PYTHONDONTWRITEBYTECODE=1 python3 bench/run.py --jobs "$(JOBS)" --peers "$(PEERS)" --rounds "$(ROUNDS)" --seconds "$(SECONDS)" $(if $(SEED),--seed "$(SEED)") --results "$(or $(RESULTS),bench/results.md)"

# Every fuzz target for SECONDS each; says so where cargo-fuzz or a nightly toolchain is missing.
SECONDS ?= 60
fuzz:
	@fuzz/run $(SECONDS)

# Mixed load and changes of the configuration for MINUTES: memory and descriptors stay flat, nothing breaks.
MINUTES ?= 10
soak:
	MINUTES=$(MINUTES) cargo test --release --test it soak:: -- --nocapture

# The simulator: SEEDS of them from FROM, within SECONDS if given; SEED=n replays one and prints what happens.
SEEDS ?= 20000
FROM ?= 1
sim:
	cargo run --quiet --profile sim -p tollgate-sim -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --from $(FROM) $(if $(filter command,$(origin SECONDS)),--seconds $(SECONDS)))

# Seeded mistakes in a copy of the tree: the simulator must find each. MUTANT=name tries one.
mutants:
	python3 crates/sim/mutants/run.py $(MUTANT)

# The console's files in crates/console/dist, from its sources; needs Node 20.19 or newer.
console:
	cd crates/console && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --ignore-scripts --no-audit --no-fund && npm run build

# Rebuilds the console, compares, and drives it in Debian's Chromium; ARGS go to the driver (ARGS="keys -g deleted").
console-tests:
	@tests/install
	cargo build
	@TOLLGATE="$$(realpath "$${CARGO_TARGET_DIR:-target}")/debug/tollgate" .venv/bin/python -B tests/console.py $(ARGS)

# Takes the pictures of docs/console.md anew.
console-pictures:
	@tests/install
	cargo build
	@TOLLGATE="$$(realpath "$${CARGO_TARGET_DIR:-target}")/debug/tollgate" .venv/bin/python -B tests/console.py pictures

demo:
	cargo run --release -- demo

release:
	cargo build --release

clean:
	cargo clean
	rm -rf .venv
