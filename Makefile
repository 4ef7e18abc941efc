# The commands that people and CI run. `make` alone lists them.

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Arguments for the program in `make demo`, for example DEMO_ARGS='--http-port 9080', and in `make cluster`.
DEMO_ARGS ?=
CLUSTER_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo cluster check fmt lint deps-direction tidy doc deny test fuzz bench release acceptance image

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## serve the bundled blog on http://posts.localhost:8080 (Ctrl-C ends it)
	@scripts/deps build
	cargo build --release --locked -p headgate
	@exec $(TARGET)/release/headgate demo $(DEMO_ARGS)

cluster: ## start a Kubernetes cluster without containers, headgate and the blog in it (Ctrl-C ends it)
	@scripts/deps build cluster
	@scripts/apiserver >/dev/null
	cargo build --release --locked -p headgate -p backends -p headgate-cluster
	@exec $(TARGET)/release/cluster $(CLUSTER_ARGS)

check: fmt lint deps-direction tidy doc deny ## everything that needs no running program

fmt: ## formatting
	cargo fmt --all --check

lint: ## clippy, warnings are errors
	cargo clippy --workspace --all-targets --locked -- -D warnings

deps-direction: ## proof that the planes do not reach into each other
	scripts/dependency-direction
	scripts/dependency-direction --prove-it-can-fail

tidy: ## house rules that no compiler checks
	scripts/tidy

doc: ## documentation builds without a warning
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked --quiet

deny: ## licences, bans, sources and advisories of all dependencies
	scripts/deny

test: ## all tests, those of the real program and of a real Kubernetes API included
	@scripts/deps build cluster upstreams
	@scripts/apiserver >/dev/null
	cargo build --workspace --bins --tests --locked
	HEADGATE_BIN=$(abspath $(TARGET))/debug/headgate cargo test --workspace --locked

fuzz: ## what parses bytes of the network: all targets, each for a few seconds
	@scripts/deps build fuzz
	scripts/fuzz

bench: ## route matching (criterion, ratios), then the comparison with nginx and HAProxy
	@scripts/deps build load
	cargo bench --locked -p headgate-benches
	cargo run --release --locked -p headgate-benches --bin match-ratio
	cargo build --release --locked -p headgate
	benches/load/run.py

release: ## optimised binaries in target/release: headgate, backends, the whole-program tools, match-ratio
	@scripts/deps build
	cargo build --release --locked -p headgate -p backends -p headgate-tests -p headgate-benches

acceptance: release ## every measured limit on the release build, in one table (an hour; alone on the machine)
	@scripts/deps load compat
	scripts/acceptance-table

image: ## the container images headgate/headgate and headgate/backends, static and from scratch
	scripts/image
