'use strict';
// Ends a run in the way that the event names; returns the SHA-256 of any other event's text.

const { createHash } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');

const GREETING = process.env.GREETING;

class NoSuchCustomer extends Error {
  name = 'NoSuchCustomer';
}

// The runtime client gives only what JSON.parse makes of the event.
const { parse } = JSON;
let text;
JSON.parse = (given, ...more) => {
  text = given;
  return parse(given, ...more);
};

const cases = {
  returns: ({ bytes }) => 'x'.repeat(bytes - 2),
  prints: ({ kib }) => {
    for (let line = 0; line < kib; line++) console.log('y'.repeat(1023));
    return 'printed';
  },
  throws: () => {
    throw new NoSuchCustomer('no such customer');
  },
  rejects: async () => {
    Promise.reject(new NoSuchCustomer('nobody waits for this'));
    await sleep(3_600_000);
  },
  exits: () => process.exit(3),
  hoards: () => {
    for (const hoard = []; ; ) hoard.push(Buffer.alloc(1 << 24, 'x'));
  },
  fillsItsHeap: ({ mib }) => {
    const heap = [];
    while (heap.length < mib) heap.push(new Array(1 << 17).fill(heap.length + 0.5));
    return heap.length;
  },
  sleeps: async () => {
    console.log('sleeping');
    await sleep(3_600_000);
  },
  greets: () => GREETING,
  layers: () => ({ shared: require('shared').FROM, only_lower: require('only_lower').FROM }),
  native: () => require('answer.node').answer,
};

exports.handler = async (event) =>
  event?.case ? cases[event.case](event) : createHash('sha256').update(text).digest('hex');

exports.streams = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType('text/plain');
  stream.write('one\n');
  await sleep(200);
  stream.write('two\n');
  await sleep(200);
  if (event.breaks) throw new NoSuchCustomer('no such customer');
  stream.end('three\n');
});
