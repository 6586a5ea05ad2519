// Tables on a cluster:
//
//   quotes         Distributed: what users read and outputs write; holds nothing
//   quotes_local   ReplicatedMergeTree, on each node: the rows
//
// Rows go to a shard by their partition, so that one insert is one block of one shard and the read-back knows what it
// looks for. Nobody writes to a queue: an insert is answered when most replicas of its shard have the rows.

import { quoteName, quoteTable, quoteText } from './sql.ts'
import type { TableName } from './sql.ts'

/** Behind the name of what a statement makes or changes. Nothing on one server. */
export function onCluster (cluster: string): string {
  return cluster === '' ? '' : ` ON CLUSTER ${quoteName(cluster)}`
}

/** The table that holds the rows. */
export function localTable ({ database, table }: TableName, cluster: string): TableName {
  return { database, table: cluster === '' ? table : `${table}_local` }
}

/** Without the table's id in it, so that a node that joins later gets the same path and with it the rows. */
export const replicatedEngine = 'ReplicatedMergeTree(\'/clickhouse/tables/{shard}/{database}/{table}\', \'{replica}\')'

/** The table over all nodes. It holds nothing, so it is made anew where the columns change. */
export function createDistributed (table: TableName, cluster: string, { comment, anew }: { readonly comment: string, readonly anew: boolean }): string {
  const local = localTable(table, cluster)
  return [
    `CREATE ${anew ? 'OR REPLACE TABLE' : 'TABLE IF NOT EXISTS'} ${quoteTable(table)}${onCluster(cluster)} AS ${quoteTable(local)}`,
    `ENGINE = Distributed(${[cluster, local.database, local.table].map(quoteText).join(', ')}, _partition)`,
    `COMMENT ${quoteText(comment)}`
  ].join('\n')
}

/** A table that every node has for itself, read from all nodes. */
export function ofAllNodes (table: string, cluster: string): string {
  return cluster === '' ? table : `clusterAllReplicas(${quoteText(cluster)}, ${table})`
}
