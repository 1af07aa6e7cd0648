# Wayout: `make help` lists what there is to do.
PORT ?= 8000
PY := .venv/bin/python
MUTMUT := $(CURDIR)/build/mutmut-3.8.0
RUN_READY := .venv/.run-$(shell cat requirements.txt | cksum | cut -d' ' -f1)
DEV_READY := .venv/.dev-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)
CATALOGS := $(wildcard portal/locale/*/LC_MESSAGES/django.po)
PIP_COMPILE := .venv/bin/pip-compile -q --no-header --strip-extras --allow-unsafe --generate-hashes \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
# Nothing is installed that is not the very file that was looked at when the pins were made.
PIP_INSTALL := .venv/bin/pip install -q --disable-pip-version-check --require-hashes
DEMO := WAYOUT_DEBUG=1 $(PY) manage.py

.DEFAULT_GOAL := help
.PHONY: help run demo-reset check test test-long test-kills test-gateway mutants bench bench-quick soak lint format schema messages pictures lock

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1|/' | column -t -s'|'

run: $(RUN_READY) $(CATALOGS:.po=.mo) .env  ## start Wayout with demo data on PORT (8000)
	@$(DEMO) demo --serve $(PORT)

demo-reset: $(RUN_READY) .env  ## throw the demo database away, so that the next run starts afresh
	@$(DEMO) demo --reset

check: $(DEV_READY) $(CATALOGS:.po=.mo)  ## before a commit, in seconds: style, imports, types, and the tests of the rules
	@.venv/bin/ruff check -q .
	@.venv/bin/ruff format -q --check .
	@.venv/bin/lint-imports --no-cache > .venv/lint-imports.log || (cat .venv/lint-imports.log; exit 1)
	@$(PY) -m tests.words
	@.venv/bin/mypy
	@.venv/bin/pytest -p no:schemathesis --hypothesis-profile=quick tests/unit \
		--ignore tests/unit/test_frontend.py --ignore tests/unit/test_outside.py

test: $(DEV_READY) $(CATALOGS:.po=.mo) lint  ## lint, types and the quick tests, on SQLite and PostgreSQL
	@$(PY) -m tests.run

test-long: $(DEV_READY) $(CATALOGS:.po=.mo)  ## the long matrices and races as well
	@$(PY) -m tests.run --long

test-kills: $(DEV_READY) $(CATALOGS:.po=.mo)  ## hundreds of random sequences and kills, of the money and of everything, on both databases, by hand (two hours)
	@for database in sqlite postgres; do WAYOUT_TEST_DB=$$database WAYOUT_SEQUENCES=$${SEQUENCES:-300} WAYOUT_KILLS=$${KILLS:-100} \
		.venv/bin/pytest -q -s -n0 -m long tests/subscriptions/test_money_stateful.py tests/kills/test_money_kills.py \
		tests/kills/test_grown_kills.py tests/kills/test_sync_kills.py || exit 1; done

test-gateway: $(DEV_READY) $(CATALOGS:.po=.mo)  ## the subgraph behind Apollo's and Hive's gateways, and beside a graphene portal (installs them by npm)
	@.venv/bin/pytest -q -s tests/served/test_gateway.py tests/served/test_graphene_portal.py

mutants: $(DEV_READY) $(CATALOGS:.po=.mo) $(MUTMUT)  ## changes of the rules that no test notices (installs mutmut; 10 minutes, or one MODULE)
	@PYTHONPATH=$(MUTMUT) nice -n 19 $(PY) -m tests.mutants $(MODULE)

# Apart from what the tests need: it brings a good many packages, of which only what is installed already is held to its pin.
$(MUTMUT):
	@.venv/bin/pip freeze | .venv/bin/pip install -q --disable-pip-version-check --target $@ -c /dev/stdin mutmut==3.8.0 || (rm -rf $@; exit 1)

bench: $(DEV_READY) $(CATALOGS:.po=.mo)  ## ratios measured side by side (installs the baselines; 10 minutes)
	@$(PY) -m bench --picture

bench-quick: $(DEV_READY) $(CATALOGS:.po=.mo)  ## the same, smaller, in 2 minutes
	@$(PY) -m bench --quick

soak: $(DEV_READY) $(CATALOGS:.po=.mo)  ## mixed traffic for MINUTES (5), then three times too much
	@WAYOUT_BENCH_URL=$${WAYOUT_TEST_POSTGRES:-postgresql://postgres@127.0.0.1:5432/postgres} $(PY) -m bench.soak --minutes $${MINUTES:-5}

lint: $(DEV_READY)  ## ruff, mypy, import directions, old words, migrations in step with the models
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports --no-cache > .venv/lint-imports.log || (cat .venv/lint-imports.log; exit 1)
	@$(PY) -m tests.words
	@.venv/bin/mypy
	@DATABASE_URL=sqlite://:memory: $(DEMO) makemigrations --check --dry-run

format: $(DEV_READY)  ## let ruff put the code in order
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

schema: $(DEV_READY)  ## export schema.graphql, docs/access.md and the element's operations
	@WAYOUT_DEBUG=1 DJANGO_SETTINGS_MODULE=portal.settings $(PY) -m tests.exports

messages: $(DEV_READY)  ## add new sentences to the catalogs
	@$(PY) -m tests.catalogs

# Inside Django, which what it shares with the tests asks for.
pictures: $(DEV_READY) $(CATALOGS:.po=.mo)  ## take the pictures of the documents anew (needs Chromium)
	@$(DEMO) shell --no-imports -c "from tests.browser.pictures import main; raise SystemExit(main())"

lock: $(DEV_READY)  ## compile requirements*.in to exact pins, with the hashes of every file of each version
	@for name in requirements requirements-dev; do $(PIP_COMPILE) -o $$name.txt $$name.in || exit 1; done

# Says that this folder is for trying Wayout out, so that every manage.py command in it finds the demo. It serves nobody,
# and is refused beside what production sets (portal/settings.py).
.env:
	@echo 'WAYOUT_DEBUG=1' > $@

.venv/bin/python:
	@python3 -m venv .venv

$(RUN_READY): .venv/bin/python
	@echo "Installing what Wayout runs on ..."
	@$(PIP_INSTALL) -r requirements.txt
	@rm -f .venv/.run-* && touch $@

$(DEV_READY): .venv/bin/python
	@echo "Installing what the tests need ..."
	@$(PIP_INSTALL) -r requirements-dev.txt
	@rm -f .venv/.dev-* && touch $@

%.mo: %.po | $(RUN_READY)
	@.venv/bin/pybabel -q compile -i $< -o $@
