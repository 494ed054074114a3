# Lines of bench_networks as a table; expects width, batch, bytes (of a real).
$1 == "n" { n = $2; next }
{ label[++count] = $1; median[$1] = $2; least[$1] = $3 }
END {
  printf "\n| width %d, batch %d, %.3g weights | ms | least | of mezo | of 2 forward passes | normals |\n|---|---|---|---|---|---|\n", width, batch, n
  for (i = 1; i <= count; i++) {
    name = label[i]
    if (name == "normals" || name == "copy") continue
    share = name == "mezo" ? sprintf("%.1f %%", 300 * least["normals"] / least[name]) : "-"
    printf "| %s | %.2f | %.2f | %s | %.2f | %s |\n", name, 1e3 * median[name], 1e3 * least[name], name == "forward" ? "-" : sprintf("%.2f", least[name] / least["mezo"]),
           least[name] / (2 * least["forward"]), share
  }
  printf "\n%.3g normals a second added to the weights: %.2g GB/s read and written, %.0f %% of a copy's %.3g GB/s.\n", n / least["normals"], 2 * bytes * n / least["normals"] / 1e9,
         100 * least["copy"] / least["normals"], 2 * bytes * n / least["copy"] / 1e9
}
