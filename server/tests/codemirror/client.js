// Asks a server with the client of Prometheus' own query editor and prints what it got, as one line of JSON.
// Arguments: the folder of node_modules, the server's URL.
'use strict';

const path = require('node:path');

const [folder, url] = process.argv.slice(2);
const library = path.join(folder, 'node_modules/@prometheus-io/codemirror-promql/dist/cjs/client/prometheus.js');
const { HTTPPrometheusClient } = require(library);

async function main() {
  const errors = [];
  const answers = {};
  for (const httpMethod of ['POST', 'GET']) {
    const client = new HTTPPrometheusClient({
      url,
      httpMethod,
      lookbackInterval: 3600 * 1000,
      httpErrorHandler: (error) => errors.push(`${httpMethod}: ${error}`),
    });
    answers[httpMethod] = {
      labelNames: await client.labelNames(),
      labelNamesOfMetric: await client.labelNames('up'),
      labelValues: await client.labelValues('job'),
      labelValuesOfMetric: await client.labelValues('instance', 'up', []),
      metricNames: await client.metricNames(''),
      metadata: await client.metricMetadata(),
      series: await client.series('up', [], ''),
      flags: await client.flags(),
    };
  }
  console.log(JSON.stringify({ errors, answers }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
