"""Checks deployment files with what others wrote: the schemas of Kubernetes, a strict reader of the compose
specification, and a security linter of compose files. Reads {"compose", "compose_file", "manifests", "versions"} as JSON
and prints each problem as a line of JSON."""

import json
import subprocess
import sys

import compose_spec
import kubernetes_validate

given = json.load(sys.stdin)


def problem(what, message):
    print(json.dumps({"what": what, "message": message}))


try:
    compose_spec.PyCompose.from_json(json.dumps(given["compose"]))
except ValueError as error:
    problem("compose", str(error))

for version in given["versions"]:
    for manifest in given["manifests"]:
        what = f'{manifest["kind"]} {manifest["metadata"]["name"]}, Kubernetes {version}'
        try:
            if kubernetes_validate.validate(manifest, version, strict=True) != version:
                problem(what, "there is no schema of this version")
        except kubernetes_validate.ValidationError as error:
            problem(what, f'{".".join(str(part) for part in error.path)}: {error.message}')
        except kubernetes_validate.SchemaNotFoundError as error:
            problem(what, error.message)

linter = subprocess.run(
    [sys.executable, "-m", "compose_lint", "--no-env", "--format", "json", "--fail-on", "critical", given["compose_file"]],
    capture_output=True, text=True, check=False)
for finding in json.loads(linter.stdout)["findings"]:
    problem(f'{finding["rule_id"]} {finding["service"]}', finding["message"])
