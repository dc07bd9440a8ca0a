#!/usr/bin/env bash
# Airflow on 127.0.0.1:8080 with the DAGs of this checkout, in build/airflow-home, until Ctrl-C. Without
# a password: no other machine may reach it.
set -euo pipefail
cd "$(dirname "$0")/../.."
export AIRFLOW_HOME=${AIRFLOW_HOME:-$PWD/build/airflow-home}
export AIRFLOW__CORE__DAGS_FOLDER=$PWD/dags AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=True AIRFLOW__API__HOST=127.0.0.1
export BAROGRAPH_HOME=${BAROGRAPH_HOME:-$PWD/barograph-home}
export PATH=$PWD/.venv-airflow/bin:$PWD/.venv/bin:$PATH
mkdir -p "$AIRFLOW_HOME"
airflow db migrate
airflow pools import deploy/airflow/pools.json
exec airflow standalone
