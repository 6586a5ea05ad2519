#!/usr/bin/env node
console.log("ok", process.version)
const x: number = 1
