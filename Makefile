# Facet's tasks. `make` alone, or `make help`, lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One configuration and one set of flags for everything, so that `demo`, `test` and `bench` share one build.
# The tests use public and package API only: without testable imports, `swift test` takes what `swift build` made.
JOBS ?= $(shell nproc)
SWIFT_FLAGS := -c release -j $(shell echo $$(( $(JOBS) < $$(nproc) ? $(JOBS) : $$(nproc) )))
TEST_FLAGS := $(SWIFT_FLAGS) --disable-testable-imports
FACET := .build/release/facet

PREFIX ?= /usr/local
DEMO_PICTURE := Examples/pictures/shapes.png
DEMO_QUESTION := Describe the picture.
SWIFT_SOURCES := Package.swift Sources Tests Tools $(wildcard Benchmarks)

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## install the system packages that are missing (apt-get, with sudo when not root)
	@Tools/setup.sh

.PHONY: build
build: setup ## build `facet` in release: .build/release/facet
	swift build $(SWIFT_FLAGS) --product facet

.PHONY: demo
demo: build ## set up, build, and ask the embedded model about a bundled picture
	@echo '$$ facet run --image $(DEMO_PICTURE) "$(DEMO_QUESTION)"'
	@$(FACET) run --image $(DEMO_PICTURE) "$(DEMO_QUESTION)"

# Tests on simulated cards compute for minutes on the threads that all tests share: those with time limits come after.
SIMULATED = FacetCUDASimTests|SimulatedCardTests|DoctorSimulationTests

.PHONY: test
test: setup ## set up, build, and run every test in release
	swift test $(TEST_FLAGS) --filter '$(SIMULATED)'
	swift test $(TEST_FLAGS) --skip '$(SIMULATED)'

.PHONY: kernels
kernels: ## compile the CUDA kernels to cubins without a GPU, and check registers and instructions: .build/cuda
	Tools/cuda/kernelc.py $(KERNEL_FLAGS)

.PHONY: static
static: setup ## build one `facet` for machines without Swift, and check that it needs nothing: .build-static/facet
	Tools/static/build.sh -j $(JOBS)

.PHONY: lint
lint: setup ## check format, layering, doc comments and documents
	swift format lint --strict --recursive $(SWIFT_SOURCES)
	Tools/lint/lint.sh
	Tools/lint/selftest.sh

.PHONY: format
format: ## format every Swift file in place
	swift format format --in-place --recursive $(SWIFT_SOURCES)

.PHONY: bench
bench: build ## measure this machine: each operation, then the model
	$(FACET) bench ops
	$(FACET) bench model

.PHONY: docs
docs: setup ## write the API reference of each library to .build/docs
	Tools/docs.sh

.PHONY: check
check: lint ## lint, then build from nothing without one warning, then test
	Tools/build-without-warnings.sh $(SWIFT_FLAGS)
	$(MAKE) test

.PHONY: install
install: setup ## install `facet` with the Swift runtime inside: PREFIX=/usr/local
	FACET_COMMIT=$$(git rev-parse --short HEAD 2>/dev/null || true) \
	swift build $(SWIFT_FLAGS) --product facet --static-swift-stdlib --scratch-path .build-install
	install -D -m 755 .build-install/release/facet "$(DESTDIR)$(PREFIX)/bin/facet"

.PHONY: clean
clean: ## remove everything that was built
	rm -rf .build .build-*
