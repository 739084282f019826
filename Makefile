# The index of everything a developer runs; `make help` lists it. Packages, generated code and Envoys install themselves.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

INSTALLED := node_modules/.installed
RUN := tsx scripts/run-tests.ts
# Everything that needs neither Envoy nor a network.
QUICK := format lint types generated architecture docs unit golden wire fuzz
# Everything that runs real parts.
REAL := envoy e2e-traffic netns

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

$(INSTALLED): package-lock.json
	npm ci --no-audit --no-fund
	touch $@

.PHONY: install
install: $(INSTALLED) ## install the npm packages

.PHONY: protos
protos: $(INSTALLED) ## write src/gen from the protos, if they changed
	@scripts/generate-protos.sh

.PHONY: generate
generate: protos ## write everything generated: src/gen, the CRDs, the reference pages
	@scripts/generate-all.sh

.PHONY: build
build: protos ## compile to dist/
	@[ -d dist ] || rm -f node_modules/.cache/tsconfig.build.tsbuildinfo
	tsc -p tsconfig.build.json
	@[ ! -f dist/cli/main.js ] || chmod +x dist/cli/main.js

.PHONY: fix
fix: protos ## format, and repair what lint can repair
	prettier --write --log-level warn .
	eslint --fix .

.PHONY: format
format: protos ## check the formatting
	@$(RUN) format

.PHONY: lint
lint: protos ## run eslint
	@$(RUN) lint

.PHONY: types
types: protos ## check the types
	@$(RUN) types

.PHONY: architecture
architecture: protos ## check who imports whom
	@$(RUN) architecture

.PHONY: unit
unit: protos ## run the unit tests
	@$(RUN) unit

.PHONY: golden
golden: build ## compare translations with the golden files; UPDATE_GOLDEN=1 rewrites them
	@$(RUN) golden

.PHONY: wire
wire: protos ## run the xDS scenarios over loopback
	@$(RUN) wire

.PHONY: fuzz
fuzz: build ## random meshes and spoilt objects, the long form; SEED= and RUNS= override
	@FUZZ=long $(RUN) fuzz fuzz-envoy

.PHONY: scaffold
scaffold: build ## check that what `npm run new-feature` writes compiles and passes
	@$(RUN) scaffold

.PHONY: envoy
envoy: build ## run the tests against real Envoys
	@$(RUN) envoy

.PHONY: e2e-traffic
e2e-traffic: build ## show every feature of traffic management on every Envoy; writes docs/reference/features.md
	@$(RUN) e2e-traffic

.PHONY: soak-traffic
soak-traffic: build ## swap routes under load, and count every request; SWAPS= and SEED= override
	@$(RUN) soak-traffic

.PHONY: netns
netns: build ## run the tests of redirected traffic in network namespaces; needs root
	@$(RUN) netns

.PHONY: check
check: build ## the quick loop: everything without Envoys
	@$(RUN) $(QUICK)

.PHONY: test
test: build ## everything, real parts included; what CI runs
	@$(RUN) $(QUICK) scaffold $(REAL)

.PHONY: coverage
coverage: build ## line coverage of the quick suites, in coverage/
	c8 --include 'src/**' --exclude 'src/gen/**' --reporter text-summary --reporter html $(RUN) unit golden wire

.PHONY: demo
demo: build ## run the bookstore on this machine with real Envoys; CHECK=1 tries it out and stops
	@export ENVOY="$${ENVOY:-$$(scripts/install-envoy.sh)}"; \
	if [ -n "$${CHECK:-}" ]; then tsx scripts/demo-check.ts; \
	else node dist/cli/main.js sandbox examples/bookstore --traffic; fi

.PHONY: bench
bench: build ## measure; results in bench/results
	tsx bench/run.ts

.PHONY: clean
clean: ## remove what was built, but not the packages
	rm -rf dist src/gen coverage node_modules/.cache
