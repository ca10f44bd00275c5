import json
import statistics
import sys


def log(line):
    print(line, file=sys.stderr, flush=True)


numbers = json.load(sys.stdin)["numbers"]
log(f"Summarizing {len(numbers)} numbers")
if len(numbers) < 2:
    log("A deviation needs at least two numbers")
    sys.exit(65)
summary = {
    "count": len(numbers),
    "mean": statistics.fmean(numbers),
    "deviation": statistics.stdev(numbers),
}
json.dump(summary, sys.stdout)
