# What the layers are built for: the defaults of Runtime and Architecture, read from template.yaml.
# The local stack runs whatever Python made its environment, and says so with LAMBDA_RUNTIME.
template := $(dir $(lastword $(MAKEFILE_LIST)))../template.yaml
default_of = $(shell sed -n '/^  $(1):$$/,/Default:/s/^ *Default: *//p' $(template))
LAMBDA_RUNTIME ?= $(call default_of,Runtime)
LAMBDA_ARCHITECTURE ?= $(call default_of,Architecture)

# Only the runtime's own minor version writes bytecode that it will read.
comma := ,
version := $(LAMBDA_RUNTIME:python%=%)
target_python := $(firstword $(foreach name,python3 $(LAMBDA_RUNTIME),$(shell $(name) -c 'import sys; print("$(name)" * (sys.version_info[:2] == ($(subst .,$(comma),$(version)))))' 2>/dev/null)))
python := $(or $(target_python),python3)

# /var/task and /opt are read-only in Lambda: without bytecode each cold start compiles anew (3x slower).
# The hash is unchecked since packaging changes file times.
define compile
$(if $(target_python),\
	$(python) -m compileall -q --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p /opt "$(ARTIFACTS_DIR)/python",\
	@echo 'WARNING: no $(LAMBDA_RUNTIME) on PATH: the layer is correct but has no bytecode, so cold starts take three times as long')
endef
