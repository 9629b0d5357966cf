# Every target sets up what it needs (tools/setup) and may be called on a bare machine.
.DEFAULT_GOAL := help
.PHONY: help setup build test demo bench bench-peers lint tidy coverage fuzz clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## fetch and build the dependencies (once; .deps links to them)
	@tools/setup

build: ## build bin/espalier
	@tools/build release

test: ## build dev and release, run all tests and style checks
	@tools/setup
	@tools/run_tests

demo: build ## train, compress and verify a small network; writes runs/demo/report.html
	@tools/demo

bench: build ## measure speed against the targets; writes bench.json
	@tools/bench

bench-peers: build ## compare with other quantizers in a scratch environment (needs network)
	@benchmarks/peers/run
	@benchmarks/peers/qat/run

lint: ## style checks
	@tools/setup
	@tools/lint

tidy: ## clang-tidy on the files that differ from the base revision
	@tools/setup
	@tools/tidy

coverage: ## line coverage of the tests; writes build/coverage/report/index.html
	@tools/setup
	@tools/coverage

fuzz: ## run every fuzz target for FUZZ_SECONDS (600)
	@tools/setup
	@tools/fuzz

clean: ## remove what was built (not the dependencies)
	rm -rf build bin
