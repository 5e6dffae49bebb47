#!/bin/sh
# Mosquitto 2.0.11 (Debian 12): a subscription with QoS 1 to many retained messages gets only the first thousand or so.
# What exceeds `max_queued_messages` (1000 by default) beside the 20 in flight is thrown away, without a word to the subscriber: no
# reason code, no disconnection, and a message that is published afterwards arrives as if nothing were missing. The same subscription
# with QoS 0 gets every one of them. The better quality of service is the one that loses messages.
# Output seen:
#   1500 retained messages, QoS 1: 1020 came
#   1500 retained messages, QoS 0: 1500 came
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
printf 'listener %s 127.0.0.1\nallow_anonymous true\nuser root\n' "$port" > broker.conf
LD_LIBRARY_PATH=root/usr/lib/$(uname -m)-linux-gnu root/usr/sbin/mosquitto -c broker.conf > /dev/null 2>&1 &
broker=$!
sleep 1
cat > try.cjs << 'END'
const mqtt = require('mqtt')
const url = `mqtt://127.0.0.1:${process.argv[2]}`
const count = 1500
async function received(qos) {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5 })
  const topics = new Set()
  client.on('message', (topic) => topics.add(topic))
  await client.subscribeAsync('r/#', { qos })
  for (let before = -1; topics.size > before;) {
    before = topics.size
    await new Promise((resolve) => setTimeout(resolve, 2000))
  }
  await client.endAsync(true)
  console.log(`${count} retained messages, QoS ${qos}: ${topics.size} came`)
  return topics.size
}
async function main() {
  const publisher = await mqtt.connectAsync(url, { protocolVersion: 5 })
  for (let index = 0; index < count; index++)
    await publisher.publishAsync(`r/${index}`, 'kept', { qos: 1, retain: true })
  const [one, zero] = [await received(1), await received(0)]
  process.exit(one < count && zero === count ? 0 : 1)
}
main()
END
node try.cjs "$port"
