#!/bin/sh
# NATS server 2.9.10 (Debian 12): an MQTT client is disconnected for a topic with a dot in it, and not told why.
# MQTT gives the dot no meaning (MQTT 3.1.1, section 4.7), and device names and versions such as 1.1.0 are full of them. The server
# keeps topics as subjects, in which a dot separates levels, and has no other way to write one: it closes the connection at once.
# Over MQTT 3.1.1 there is no reason code, so the client sees a broker that hangs up, which looks like a network fault; a client that
# connects again and repeats the message is cut off again, for ever. NATS 2.10 and newer take such topics.
# Output seen:
#   topic models/parts: acknowledged, connected afterwards
#   topic models/1.1.0: not acknowledged, disconnected afterwards
set -e
folder=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker" 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq nats-server=2.9.10-1+b3 > /dev/null 2>&1
dpkg -x nats-server*.deb root
npm init -y > /dev/null
npm install --silent --no-audit --no-fund mqtt@5.16.0 > /dev/null
ports=$(node -e 'const n=require("net");const a=n.createServer().listen(0,"127.0.0.1",()=>{const b=n.createServer().listen(0,"127.0.0.1",()=>{console.log(a.address().port,b.address().port);a.close();b.close()})})')
port=${ports#* }
printf 'server_name: one\nlisten: 127.0.0.1:%s\njetstream { store_dir: "%s/store" }\nmqtt { listen: 127.0.0.1:%s }\n' "${ports% *}" "$folder" "$port" > nats.conf
root/usr/sbin/nats-server -c nats.conf > broker.log 2>&1 &
broker=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do grep -q 'Server is ready' broker.log && break; sleep 1; done
cat > try.cjs << 'END'
const mqtt = require('mqtt')
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
async function send(topic) {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${process.argv[2]}`, { protocolVersion: 4, reconnectPeriod: 0 })
  client.on('error', () => undefined)
  let isTaken = false
  client.publish(topic, 'x', { qos: 1, retain: true }, (error) => (isTaken = !error))
  await wait(3000)
  const state = client.connected ? 'connected' : 'disconnected'
  console.log(`topic ${topic}: ${isTaken ? 'acknowledged' : 'not acknowledged'}, ${state} afterwards`)
  const isOpen = client.connected
  client.end(true)
  return isTaken && isOpen
}
async function main() {
  const [plain, dotted] = [await send('models/parts'), await send('models/1.1.0')]
  process.exit(plain && !dotted ? 0 : 1)
}
main()
END
node try.cjs "$port"
