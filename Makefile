# The commands of this repository. "make help" lists them.
PYTHON    ?= python3
VENV      ?= .venv$(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
INVENTORY ?= inventory/lab
MACHINE   ?= windows11-zh-cn
JOBS      ?= 3
WORKERS   ?= $(JOBS)
MORE       = windows10 mirrored virtioproxy own linux $(UNDONE)
UNDONE     = windows_base-absent windows_proxy-absent visual_studio-absent cuda_windows-absent wsl_enable-absent wsl_distribution-absent devcontainer-absent room_cache-absent
NEWEST     = wsl_proxy wsl_proxy-absent apt_mirror-absent cuda_wsl cuda_wsl-absent docker_engine docker_proxy nvidia_ctk
LONGEST    = default $(filter-out $(UNDONE),$(MORE)) remove devcontainer
SCENARIOS  = $(LONGEST) $(filter-out $(LONGEST),$(sort $(notdir $(patsubst %/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))))
SOME       = wsl: Docker.s key replaced
BIN       := $(abspath $(VENV))/bin
STAMP      = $(VENV)/.installed
SITE       = ansible-playbook -i $(INVENTORY) playbooks/site.yml $(ARGS)

export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
unexport PYTHONDONTWRITEBYTECODE # what starts often is compiled once; clean removes it

.DEFAULT_GOAL := help
.PHONY: help venv lab site test test-slow lint images unit windows test-interrupts faults test-faults-smoke molecule scenarios verify preflight probe compare bench makespan fleet cache runner mutation pins lab-status clean distclean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

venv: $(STAMP) ## install the pinned requirements into .venv (PYTHON=python3.13 for another Python)

$(STAMP): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Say make venv PYTHON=python3.13 VENV=.venv (Ubuntu 22.04: sudo apt install python3.11-venv, then PYTHON=python3.11)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

lab: venv ## start the lab: simulated Windows PC, Internet and WSL distribution
	@python -m lab up --machine $(MACHINE)

site: lab ## set up the lab's workstation with the real playbooks/site.yml, and show the proof
	$(SITE)
	@python -m lab proof

test: ## what proves this repository (JOBS=3 at a time); "make test-slow" is the rest
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target images lint unit
	@$(MAKE) --no-print-directory --jobs=2 test-faults-smoke molecule ROLE="$(filter-out $(MORE),$(SCENARIOS))" \
	  WORKERS=$$(($(JOBS) / 3)) JOBS=$$(($(JOBS) - $(JOBS) / 3))

test-slow: test-interrupts ## what takes long and runs apart from "make test": the whole site in other ways, single roles of Windows taken back, Ubuntu 26.04, runs that are cut off
	@$(MAKE) --no-print-directory molecule ROLE="$(MORE)"
	@SUITE=resolute $(MAKE) --no-print-directory molecule ROLE="$(NEWEST)"
	@$(MAKE) --no-print-directory cache

lint: venv ## ansible-lint (production), yamllint, ruff
	yamllint .
	ruff check .
	ruff format --check .
	ansible-lint --offline --strict

images: # built while other things are checked; needs no virtual environment
	@$(PYTHON) -m lab up

unit: venv ## tests that need no machine
	python -m pytest --numprocesses 2 --dist loadfile -m 'not campaign' tests/unit tests/winsim/unit

windows: venv ## the simulated Windows PC: pywinrm's own tests, Ansible on the wire, the Windows half on every machine
	python -m pytest --numprocesses $(WORKERS) --dist loadgroup -m 'not campaign' tests/windows tests/winsim --ignore=tests/winsim/unit

test-interrupts: venv ## cut the connection at five points of the Windows half (SEED=… for others), hang more programs, kill Install.ps1 and its work on disks after each step, let it go the whole way, copy 200 MiB through wsl_winrm and wsl_interop
	$(if $(SEED),SEED=$(SEED) )python -m pytest -m campaign tests/unit/bootstrap tests/windows tests/winsim --ignore=tests/winsim/unit

faults: venv ## let things go wrong at each step of the site and run it again; the matrix is in reports/ (ONLY=… for some, APART=1 for a machine each)
	python -m pytest tests/faults/test_undisturbed.py --numprocesses $(or $(filter-out 3,$(JOBS)),2) --only '$(ONLY)'
	python -m pytest tests/faults/test_disturbed.py --numprocesses $(or $(filter-out 3,$(JOBS)),2) --dist loadgroup -vv \
	  --only '$(ONLY)' $(if $(APART),--apart) --junitxml=reports/faults.xml

test-faults-smoke: windows # one case, so that "make test" sees the campaign work; "make faults" is all of it
	@$(MAKE) --no-print-directory faults JOBS=1 ONLY='$(SOME)'

scenarios: ## print the Molecule scenarios, one a line (CI makes its matrix of it)
	@printf '%s\n' $(SCENARIOS)

molecule: venv ## Molecule scenarios, JOBS at a time; ROLE=docker_engine for one
	@python -m lab up
	@scripts/molecule.sh $(JOBS) $(or $(ROLE),$(SCENARIOS))

verify: venv ## tell which promises hold (INVENTORY=inventory/mine for your own), as a table and in reports/
	python -m pytest verify --hosts='ansible://windows,ansible://wsl' --ansible-inventory=$(INVENTORY) --force-ansible --tb=no -rN \
	  --junitxml=reports/verify.xml --html=reports/verify.html --self-contained-html

preflight: venv ## tell everything that would stop the site, in one table and in reports/preflight.json; reads only
	ansible-playbook -i $(INVENTORY) playbooks/preflight.yml $(ARGS)

probe: venv ## ask your PCs what the lab takes for granted; reads only; one report for each is in reports/ (INVENTORY=inventory/mine)
	ansible-playbook -i $(INVENTORY) playbooks/probe.yml $(ARGS)

compare: venv ## show a report of "make probe" beside the lab's answers (REPORT=reports/probe-my-pc.json)
	@python -m lab probe '$(REPORT)' $(if $(filter command line environment,$(origin MACHINE)),--machine $(MACHINE))

bench: venv ## time the no-op run of the Docker roles next to ping tasks, wsl_winrm and wsl_interop next to other connections
	@python -m lab up
	@python scripts/bench.py
	@python scripts/bench_connections.py

makespan: venv ## time the site where things take as long as on a real PC, in slow motion (MINUTE=6 seconds for a minute)
	@python -m lab up
	@python scripts/makespan.py $(or $(MINUTE),6)

fleet: venv ## set up N simulated PCs in one run, M of them with a real distribution (N=50 M=1)
	@python -m lab up
	@python scripts/fleet.py $(or $(N),50) $(or $(M),1)

cache: venv ## a cache in the room: bytes from the Internet for two PCs and a second run, with and without it, and while it is killed
	@python -m lab up
	@python scripts/cache.py

runner: lab ## the site on the lab, by ansible-runner transmit, worker and process
	@scripts/runner.sh

mutation: venv ## break ten promises, one at a time, and see the test that guards each fail (ONLY=word for some)
	@python scripts/mutation.py $(ONLY)

pins: venv ## look for newer vendor files, print what changed, write pins.json with checksums (ARGS=--check only looks)
	@python scripts/pins.py $(ARGS)

lab-status: ## what runs in the lab, addresses, last requests
	@$(or $(wildcard $(BIN)/python),python3) -m lab status

clean: ## remove the lab without a trace
	@$(or $(wildcard $(BIN)/python),python3) -m lab clean
	@rm -rf .cache .ansible .pytest_cache .ruff_cache reports
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## clean, and remove the virtual environment
	rm -rf $(VENV)
