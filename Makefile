# Everything that a person or CI runs. `make` alone lists it. The work is done
# by cargo and by the scripts that are named here.
.DEFAULT_GOAL := help
SHELL := /bin/bash

.PHONY: help demo build install runtime model-resnet50 \
	milvus-up milvus-down milvus-status milvus-logs milvus-reset \
	check test test-unit test-milvus test-crash test-model test-export test-hostile test-html test-deploy \
	proof references evaluation snapshots bench fuzz ci clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Ingest a gallery of pictures and search it; brings all it needs
	@deploy/demo.sh

build: runtime ## Build the programs: target/release/{ingest,search,models}
	cargo build --release --locked

install: runtime ## Install the programs into cargo's bin folder
	cargo install --path . --locked

runtime: ## Fetch ONNX Runtime, once
	@deploy/onnxruntime.sh

model-resnet50: ## Build the model resnet50 from its package, once
	@models/resnet50/build.sh

milvus-up: ## Start a Milvus and wait for it (ENGINE=docker|lite|standalone MILVUS_PORT=19530)
milvus-down: ## Stop it; the data stay
milvus-status: ## Say what runs
milvus-logs: ## Show its log (LINES=100, FOLLOW=1)
milvus-reset: ## Delete its data; asks first (YES=1 answers)
milvus-up milvus-down milvus-status milvus-logs milvus-reset:
	@deploy/milvus.sh $(@:milvus-%=%)

check: ## Format, lints, documentation, shell scripts
	cargo fmt --check
	cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	cargo clippy --all-targets --all-features --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps --locked
	@tests/shellcheck.sh

test: ## Every test, on real servers too; brings what they need
	@tests/run.sh all

test-unit: ## The tests that need this checkout alone
	@tests/run.sh unit

test-milvus: ## The tests on Milvus Lite and Milvus 2.3.5
	@tests/run.sh milvus

test-crash: ## Kill ingest N times, and Milvus, at random moments (N=50 SEED=number)
	@CRASH_KILLS=$(N) CRASH_SEED=$(SEED) tests/run.sh crash

test-model: ## The tests of the trained models
	@tests/run.sh model

test-export: ## The tests of models/export; brings torch, which takes GB
	@tests/run.sh export

test-hostile: ## Hold the decoders against Pillow's broken and odd test pictures
	@tests/run.sh hostile

test-html: ## Look at the pages of `search --html` in a real browser; needs chromium, so no part of test
	@tests/run.sh html

test-deploy: ## The tests of deploy/
	@tests/run.sh deploy

proof: ## Hold preprocessing, tokens and vectors against the reference packages; writes README's table
	@tests/run.sh proof

references: ## Make the references of `models doctor` anew
	@tests/run.sh references

evaluation: ## Judge the models on the gallery (NEARDUP=FOLDER: and on near-duplicates); writes README's table
	@tests/run.sh evaluation

snapshots: ## Run every test and accept what the programs say now
	@INSTA_UPDATE=always tests/run.sh all

bench: ## Measure ingest and search end to end
	@tests/run.sh bench

fuzz: ## Feed manifests, names tables, filters and decoders with mutated input (TARGET=decode FUZZ_SECONDS=60)
	@tests/run.sh fuzz

ci: check test ## What CI runs

clean: ## Delete what was built; the data of Milvus stay
	cargo clean
