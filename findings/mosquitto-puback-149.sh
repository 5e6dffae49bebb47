#!/bin/sh
# Mosquitto 2.0.11 (Debian 12) with mqtt.js 5.16.0: the outcome of a message over the broker's size limit never comes.
# With `message_size_limit` Mosquitto answers a larger QoS 1 message over MQTT 5 with a PUBACK of reason 149, packet too large.
# MQTT 5 (section 3.4.2.1) does not list 149 among the reasons of a PUBACK, and mqtt.js takes it for a protocol error: the callback of
# publish() is not called, neither with a refusal nor with an error; the client emits an error and stays connected. Whoever waits
# for the outcome of publish() waits for ever.
# Output seen:
#   small message: accepted
#   large message: no answer within 5 s
#   client error: Invalid puback reason code
#   client afterwards: connected
set -e
folder=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker" 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq mosquitto=2.0.11-1.2+deb12u2 libwebsockets17 libcjson1 libdlt2 libev4 libuv1 > /dev/null 2>&1
for package in *.deb; do dpkg -x "$package" root; done
npm init -y > /dev/null
npm install --silent --no-audit --no-fund mqtt@5.16.0 > /dev/null
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmessage_size_limit 50000\nuser root\n' "$port" > broker.conf
LD_LIBRARY_PATH=root/usr/lib/$(uname -m)-linux-gnu root/usr/sbin/mosquitto -c broker.conf > /dev/null 2>&1 &
broker=$!
sleep 1
cat > try.cjs << 'END'
const mqtt = require('mqtt')
const client = mqtt.connect(`mqtt://127.0.0.1:${process.argv[2]}`, { protocolVersion: 5, reconnectPeriod: 0 })
let problem = 'none'
client.on('error', (error) => (problem = error.message))
const send = (bytes) =>
  new Promise((resolve) => {
    client.publish('a', Buffer.alloc(bytes), { qos: 1 }, (error) => resolve(error ? error.message : 'accepted'))
    setTimeout(resolve, 5000, 'no answer within 5 s').unref()
  })
client.once('connect', async () => {
  const small = await send(1000)
  const large = await send(60000)
  await new Promise((resolve) => setTimeout(resolve, 500))
  const state = client.connected ? 'connected' : 'disconnected'
  const seen = [`small message: ${small}`, `large message: ${large}`, `client error: ${problem}`, `client afterwards: ${state}`]
  console.log(seen.join('\n'))
  process.exit(small === 'accepted' && /^no answer/.test(large) && /puback/.test(problem) ? 0 : 1)
})
END
node try.cjs "$port"
