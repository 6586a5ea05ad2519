import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { root } from '../system/project.ts'
import { kustomization, manifest, manifestFiles, manifests, patches, podOf, workloads } from './files.ts'
import { refusal } from './variables.ts'
import type { Container, Manifest } from './files.ts'

const containers: ReadonlyArray<readonly [where: Manifest, container: Container]> = workloads.flatMap(workload => podOf(workload).containers.map(container => [workload, container] as const))

await t.test('kustomize takes every manifest, and names the image of each', async t => {
  t.strictSame([...kustomization.resources].sort(), [...manifestFiles].sort())
  t.strictSame(manifests.filter(({ spec }) => spec?.template !== undefined), workloads)
  for (const [, { image }] of containers) {
    t.match(image, /^twolane:\d+\.\d+\.\d+$/)
    t.ok(kustomization.images.some(({ name, newTag }) => `${name}:${newTag}` === image), image)
  }
})

await t.test('no pod has rights', async t => {
  for (const workload of workloads) {
    const pod = podOf(workload)
    t.match(pod, { automountServiceAccountToken: false, securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } } })
    for (const key of ['hostNetwork', 'hostPID', 'hostIPC', 'hostPath']) t.notMatch(JSON.stringify(workload), `"${key}"`)
    t.ok(manifest('ServiceAccount', pod.serviceAccountName))
  }
  for (const [, { securityContext, resources: { requests, limits } }] of containers) {
    t.strictSame(securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
    t.ok(requests.cpu && requests.memory && limits.cpu && limits.memory)
  }
  t.match(manifest('Namespace', 'twolane').metadata.labels, { 'pod-security.kubernetes.io/enforce': 'restricted' })
})

await t.test('what a container writes to is a volume', async t => {
  for (const [{ spec }, { volumeMounts }] of containers) {
    t.strictSame(volumeMounts.map(({ mountPath }) => mountPath).sort(), ['/data', '/tmp'])
    const claimed = spec?.volumeClaimTemplates?.map(({ metadata: { name } }) => name) ?? []
    const own = spec!.template!.spec.volumes.map(({ name, emptyDir }) => { t.ok(emptyDir?.sizeLimit, `${name} is limited`); return name })
    t.strictSame([...claimed, ...own].sort(), ['data', 'tmp'])
  }
})

await t.test('probes ask routes that exist without a token, and a source that is down restarts nothing', async t => {
  for (const [, { startupProbe, livenessProbe, readinessProbe, ports }] of containers) {
    for (const { httpGet: { path, port } } of [startupProbe, livenessProbe, readinessProbe]) {
      t.ok(['/healthz', '/readyz'].includes(path), path)
      t.ok(ports.some(({ name, containerPort }) => name === port && containerPort === 8080))
    }
    t.strictSame([startupProbe, livenessProbe, readinessProbe].map(({ httpGet: { path } }) => path), ['/healthz', '/healthz', '/readyz'])
    t.ok(startupProbe.periodSeconds * startupProbe.failureThreshold >= 60)
  }
  t.match(manifest('Service', 'twolane').spec, { publishNotReadyAddresses: true }, 'the endpoint can be asked why it is not ready')
  t.match(manifest('PodDisruptionBudget', 'twolane-worker').spec, { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' })
})

await t.test('every variable is one that a runtime or a pipeline takes, and no link of a Service sets one', async t => {
  const settings = Object.entries(manifest('ConfigMap', 'twolane').data ?? {})
  for (const [name, value] of settings) t.equal(refusal(name, value), undefined)
  for (const workload of workloads) t.equal(podOf(workload).enableServiceLinks, false)
  for (const [, { env, envFrom }] of containers) {
    t.strictSame(envFrom, [{ configMapRef: { name: 'twolane' } }])
    const taken = env.filter(({ name, value }) => refusal(name, value) === undefined).map(({ name }) => name)
    // The one that is left is part of another's value.
    t.strictSame(env.map(({ name }) => name).filter(name => !taken.includes(name) && !env.some(({ value }) => value?.includes(`$(${name})`))), [])
    t.notOk(env.some(({ name }) => settings.some(([other]) => other === name)), 'nothing is set twice')
  }
})

await t.test('secrets are references', async t => {
  t.notOk(manifests.some(({ kind }) => kind === 'Secret'))
  for (const [name] of Object.entries(manifest('ConfigMap', 'twolane').data ?? {})) t.notMatch(name, /TOKEN|PASSWORD|SECRET|ACCESS_KEY|TWOLANE_CLICKHOUSE$/)
  for (const [, { env }] of containers) {
    const secret = env.filter(({ name }) => /TOKEN|PASSWORD|CLICKHOUSE/.test(name))
    t.strictSame(secret.map(({ name }) => name), ['TWOLANE_ADMIN_TOKEN', 'TWOLANE_CLICKHOUSE', 'TWOLANE_KAFKA_PASSWORD'])
    for (const { name, valueFrom } of secret) t.match(valueFrom, { secretKeyRef: { name: 'twolane' } }, name)
  }
})

await t.test('one control side, workers that never are it, and selectors that find their pods only', async t => {
  const [control, workers] = workloads
  t.equal(control!.spec!.replicas, 1)
  t.ok(workers!.spec!.replicas! >= 2)
  const role = ({ env }: Container): string | undefined => env.find(({ name }) => name === 'TWOLANE_ROLE')?.value
  t.strictSame(containers.map(([, container]) => role(container)), [undefined, 'worker'])
  for (const { spec } of workloads) t.strictSame(spec!.selector!.matchLabels, spec!.template!.metadata.labels)
  const component = (one: Manifest): string | undefined => one.spec!.template!.metadata.labels['app.kubernetes.io/component']
  t.not(component(control!), component(workers!))
  t.strictSame(manifest('Service', 'twolane').spec!.selector, control!.spec!.template!.metadata.labels)
  for (const workload of workloads) t.ok(podOf(workload).terminationGracePeriodSeconds > 10, 'there is time to drain')
})

await t.test('the patches of the component fit the workloads, and name every model', async t => {
  t.strictSame(patches.map(({ kind, metadata: { name } }) => `${kind}/${name}`), workloads.map(({ kind, metadata: { name } }) => `${kind}/${name}`))
  const models = readdirSync(join(root, 'schemas', 'models')).filter(name => name.endsWith('.sql'))
  for (const patch of patches) for (const model of models) t.match(JSON.stringify(patch), `{"key":"${model}","path":"models/${model}"}`)
})

await t.test('pipelines and schemas are read from volumes as a kubelet lays ConfigMaps out', async t => {
  const folder = t.testdir({ 'package.json': '{"type":"module"}' })
  for (const name of ['runtime', 'plugins', 'node_modules', 'config']) symlinkSync(join(root, name), join(folder, name))
  for (const name of ['pipelines', 'schemas']) layOut(join(root, name), join(folder, name))
  const lint = () => spawnSync(process.execPath, ['runtime/cli/main.ts', 'lint'], { cwd: folder, encoding: 'utf8' })
  const { status, stdout } = lint()
  t.equal(status, 0, stdout)
  t.match(stdout, /\d\d files checked, no problems/)
  writeFileSync(join(folder, 'pipelines', '..2024', 'bars.yaml'), 'topic: bars\noutputs: [lke]\n')
  t.match(lint().stdout, /bars\.yaml/, 'they are read, not passed over')
})

/** Files in a folder of a version, a link to that folder, and links to the files through it. */
function layOut (from: string, to: string): void {
  mkdirSync(join(to, '..2024'), { recursive: true })
  symlinkSync('..2024', join(to, '..data'))
  for (const { name } of readdirSync(from, { withFileTypes: true }).filter(entry => entry.isDirectory() || entry.name.endsWith('.yaml'))) {
    cpSync(join(from, name), join(to, '..2024', name), { recursive: true })
    symlinkSync(join('..data', name), join(to, basename(name)))
  }
}
