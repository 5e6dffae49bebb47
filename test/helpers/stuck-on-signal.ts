/**
 * Loaded into an agent before it starts: on SIGUSR2 a part of it gets stuck, the one that STUCK_PART names.
 *
 *     event-loop    JavaScript of the main thread never comes to an end
 *     broker-loop   no pause of the connection to the broker ever comes to an end
 */

const endless = (): void => {
  for (;;);
}

function keepPausesOf(file: string): void {
  const original = globalThis.setTimeout
  const stuck = (...args: Parameters<typeof original>): NodeJS.Timeout => {
    const isOfFile = new Error('where from').stack?.includes(file) === true
    return isOfFile ? original(() => undefined, 2 ** 30) : original(...args)
  }
  globalThis.setTimeout = Object.assign<typeof stuck, typeof original>(stuck, original)
}

process.on('SIGUSR2', () => {
  if (process.env['STUCK_PART'] === 'event-loop') endless()
  else keepPausesOf('mqtt-connection')
})
