-- Bicycles that arrived (a) at and departed (d) from three stations in May 2026.
-- Run it from the repository: eau2 query - < examples/bikes.sql

SELECT station, sum(a) AS arrived, sum(d) AS departed, sum(a) - sum(d) AS stayed
FROM 'examples/df.csv'
GROUP BY station
ORDER BY arrived DESC;

-- Does rain keep people away? An unknown rainfall (NULL) is neither dry nor wet.
SELECT CASE WHEN rain = 0 THEN 'dry' WHEN rain > 0 THEN 'wet' ELSE 'unknown' END AS weather,
       count(*) AS days, avg(a) AS mean_arrivals
FROM 'examples/df.csv'
GROUP BY weather
ORDER BY weather;

-- Every station, also those where nothing happened yet, with its busiest day's share of docks.
SELECT s.station, s.district, max(df.a) AS busiest_day, max(df.a) / s.docks AS per_dock
FROM 'examples/stations.csv' AS s LEFT JOIN 'examples/df.csv' AS df ON df.station = s.station
GROUP BY s.station, s.district, s.docks
ORDER BY busiest_day DESC NULLS LAST;
