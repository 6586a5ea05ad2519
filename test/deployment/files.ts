// The files that deploy the platform, as the tests of them read them.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { root } from '../system/project.ts'

export interface Service {
  readonly image: string
  readonly user?: string
  readonly environment: Readonly<Record<string, string | null>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly networks: readonly string[]
  readonly stop_grace_period: string
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly deploy: { readonly resources: { readonly limits: { readonly cpus?: string, readonly memory?: string, readonly pids?: number } } }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly [key: string]: unknown
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
}

/** With its merge keys resolved. */
export const compose = parse(readFileSync(join(root, 'compose.yaml'), 'utf8'), { merge: true }) as Compose

/** A text as Compose fills it in where only the variables are set that must be. */
export const filledIn = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll(/\$\{\w+:\?[^}]*\}/g, 'a1b2c3d4e5f6a7b8')

export interface Variable { readonly name: string, readonly value?: string, readonly valueFrom?: { readonly secretKeyRef?: object } }

interface Probe {
  readonly httpGet: { readonly path: string, readonly port: string }
  readonly periodSeconds: number
  readonly failureThreshold: number
}

export interface Container {
  readonly image: string
  readonly env: readonly Variable[]
  readonly envFrom: ReadonlyArray<{ readonly configMapRef: { readonly name: string } }>
  readonly ports: ReadonlyArray<{ readonly name: string, readonly containerPort: number }>
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly resources: Readonly<Record<'requests' | 'limits', { readonly cpu?: string, readonly memory?: string }>>
  readonly securityContext: object
  readonly volumeMounts: ReadonlyArray<{ readonly name: string, readonly mountPath: string }>
}

export interface Pod {
  readonly automountServiceAccountToken: boolean
  readonly enableServiceLinks: boolean
  readonly serviceAccountName: string
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: object
  readonly containers: readonly Container[]
  readonly volumes: ReadonlyArray<{ readonly name: string, readonly emptyDir?: { readonly sizeLimit?: string } }>
}

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string, readonly namespace?: string, readonly labels?: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly replicas?: number
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } & Readonly<Record<string, unknown>>
    readonly template?: { readonly metadata: { readonly labels: Readonly<Record<string, string>> }, readonly spec: Pod }
    readonly volumeClaimTemplates?: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
    readonly [key: string]: unknown
  }
}

const folder = join(root, 'config', 'kubernetes')
const documents = (path: string): unknown[] => parseAllDocuments(readFileSync(path, 'utf8')).map(document => document.toJS() as unknown)

export const kustomization = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as { readonly resources: readonly string[], readonly images: ReadonlyArray<{ readonly name: string, readonly newTag: string }> }
export const manifestFiles = readdirSync(folder).filter(name => name.endsWith('.yaml') && name !== 'kustomization.yaml')
export const manifests = manifestFiles.flatMap(name => documents(join(folder, name))) as Manifest[]
export const patches = ['control', 'workers'].flatMap(name => documents(join(folder, 'files', `${name}.yaml`))) as Manifest[]

/** The one manifest of a kind and a name. */
export function manifest (kind: string, name: string): Manifest {
  const found = manifests.find(one => one.kind === kind && one.metadata.name === name)
  if (found === undefined) throw new Error(`There is no ${kind} ${name}`)
  return found
}

export const workloads = [manifest('StatefulSet', 'twolane-control'), manifest('Deployment', 'twolane-worker')]
export const podOf = ({ spec }: Manifest): Pod => spec?.template?.spec as Pod
