// Reads a Content-Security-Policy from standard input; writes what csp_evaluator finds, as JSON.
const { CspEvaluator } = require("csp_evaluator/dist/evaluator.js");
const { CspParser } = require("csp_evaluator/dist/parser.js");
const policy = require("fs").readFileSync(0, "utf8");
const findings = new CspEvaluator(new CspParser(policy).csp).evaluate();
console.log(JSON.stringify(findings.map((one) => [one.severity, one.directive, one.description])));
