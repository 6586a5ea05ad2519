#!/usr/bin/env node
console.log('twolane', process.version)
